package awsquery_test

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/awsquery"
	"github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/cloudwatch"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/gen/sns"
	"github.com/tierra-cloud/tierra/internal/gen/sqs"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

func request(s *model.Service, op, method, target, body string) *protocol.Request {
	return &protocol.Request{HTTP: httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body)), Service: s, Op: s.Operation(op), ID: "id-1"}
}

func decode[T any](t *testing.T, rq *protocol.Request) T {
	t.Helper()
	var in T
	if err := (awsquery.Codec{}).Decode(rq, &in); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestDecode(t *testing.T) {
	stack := decode[cloudformation.CreateStackInput](t, request(&cloudformation.Model, "CreateStack", "POST", "/",
		"Action=CreateStack&Version=2010-05-15&StackName=s&Parameters.member.2.ParameterKey=b&Parameters.member.1.ParameterKey=a&Parameters.member.1.ParameterValue=1+%2B&Parameters.member.10.ParameterKey=c&DisableRollback=true&TimeoutInMinutes=5&Unknown.member.1=x"))
	want := cloudformation.CreateStackInput{
		StackName: new("s"), DisableRollback: new(true), TimeoutInMinutes: new(int32(5)),
		Parameters: []cloudformation.Parameter{{ParameterKey: new("a"), ParameterValue: new("1 +")}, {ParameterKey: new("b")}, {ParameterKey: new("c")}},
	}
	if !reflect.DeepEqual(stack, want) {
		t.Errorf("%+v", stack)
	}

	topic := decode[sns.CreateTopicInput](t, request(&sns.Model, "CreateTopic", "GET", "/?Action=CreateTopic&Name=n&Attributes.entry.1.key=K&Attributes.entry.1.value=V", ""))
	if *topic.Name != "n" || topic.Attributes["K"] != "V" {
		t.Errorf("%+v", topic)
	}
}

// SQS's model is that of its JSON protocol; older clients use other names.
func TestDecodeSQS(t *testing.T) {
	m := decode[sqs.SendMessageRequest](t, request(&sqs.Model, "SendMessage", "POST", "/1/q",
		"Action=SendMessage&MessageBody=hi&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x"))
	want := sqs.SendMessageRequest{
		QueueUrl: new("http://localhost/1/q"), MessageBody: new("hi"),
		MessageAttributes: map[string]sqs.MessageAttributeValue{"a": {DataType: new("String"), StringValue: new("x")}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("%+v", m)
	}
	a := decode[sqs.SetQueueAttributesRequest](t, request(&sqs.Model, "SetQueueAttributes", "POST", "/", "QueueUrl=u&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5"))
	if *a.QueueUrl != "u" || a.Attributes["DelaySeconds"] != "5" {
		t.Errorf("%+v", a)
	}
	r := decode[sqs.ReceiveMessageRequest](t, request(&sqs.Model, "ReceiveMessage", "POST", "/", "QueueUrl=u&AttributeName.1=All&MaxNumberOfMessages=10"))
	if !reflect.DeepEqual(r.AttributeNames, []string{"All"}) {
		t.Errorf("%+v", r)
	}
	b := decode[sqs.DeleteMessageBatchRequest](t, request(&sqs.Model, "DeleteMessageBatch", "POST", "/", "QueueUrl=u&DeleteMessageBatchRequestEntry.1.Id=1&DeleteMessageBatchRequestEntry.1.ReceiptHandle=h"))
	if len(b.Entries) != 1 || *b.Entries[0].ReceiptHandle != "h" {
		t.Errorf("%+v", b)
	}
}

func TestDecodeMalformed(t *testing.T) {
	for body, want := range map[string]string{
		"TimeoutInMinutes=x":                          "STRING_VALUE can not be converted to an Integer",
		"TimeoutInMinutes=99999999999":                "STRING_VALUE can not be converted to an Integer",
		"DisableRollback=maybe":                       "a Boolean",
		"Parameters.member.x.ParameterKey=a":          `"x" where a number should be`,
		"StackName=%zz":                               "not properly escaped",
		strings.Repeat("a.", 500) + "=1":              "too many parts",
		strings.Repeat("StackName=s&", 100_001) + "x": "too many parameters",
	} {
		var in cloudformation.CreateStackInput
		err := (awsquery.Codec{}).Decode(request(&cloudformation.Model, "CreateStack", "POST", "/", body), &in)
		if f := fault.As(err); f == nil || !strings.Contains(f.Message, want) {
			t.Errorf("%.60s: %v, want %s", body, err, want)
		}
	}
}

func TestEncode(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 600e6, time.UTC)
	for _, c := range []struct {
		s    *model.Service
		op   string
		out  any
		want string
	}{
		{&iam.Model, "GetUser", &iam.GetUserResponse{User: &iam.User{UserName: new("a<b"), CreateDate: &at, Tags: []iam.Tag{{Key: new("k"), Value: new("")}}}},
			`<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User><UserName>a&lt;b</UserName><CreateDate>2024-01-02T03:04:05.600Z</CreateDate><Tags><member><Key>k</Key><Value></Value></member></Tags></User></GetUserResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetUserResponse>`},
		{&iam.Model, "DeleteUser", nil,
			`<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DeleteUserResponse>`},
		{&sqs.Model, "GetQueueAttributes", &sqs.GetQueueAttributesResult{Attributes: map[string]string{"A": "1", "B": "2"}},
			`<GetQueueAttributesResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><GetQueueAttributesResult><Attribute><Name>A</Name><Value>1</Value></Attribute><Attribute><Name>B</Name><Value>2</Value></Attribute></GetQueueAttributesResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetQueueAttributesResponse>`},
		{&sqs.Model, "ListQueues", &sqs.ListQueuesResult{QueueUrls: []string{"a", "b"}},
			`<ListQueuesResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ListQueuesResult><QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl></ListQueuesResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></ListQueuesResponse>`},
		{&cloudwatch.Model, "PutMetricAlarm", nil,
			`<PutMetricAlarmResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></PutMetricAlarmResponse>`},
	} {
		w := httptest.NewRecorder()
		if err := (awsquery.Codec{}).Encode(w, request(c.s, c.op, "POST", "/", ""), c.out); err != nil {
			t.Fatal(err)
		}
		if w.Body.String() != c.want {
			t.Errorf("got\n%s\nwant\n%s", w.Body, c.want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		s      *model.Service
		ec2    bool
		f      *fault.Fault
		status int
		want   string
	}{
		{&iam.Model, false, iam.NoSuchEntityException("no user"), 404,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no user</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{&iam.Model, false, fault.Of(fault.AccessDenied, "no"), 403,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{&sqs.Model, false, sqs.QueueDoesNotExist("gone"), 400,
			`<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>gone</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{nil, true, fault.Of(fault.InternalFailure, "oh"), 500,
			`<Response><Errors><Error><Code>InternalFailure</Code><Message>oh</Message></Error></Errors><RequestID>id-1</RequestID></Response>`},
	} {
		w := httptest.NewRecorder()
		rq := &protocol.Request{HTTP: httptest.NewRequest("POST", "/", nil), Service: c.s, ID: "id-1"}
		awsquery.Codec{EC2: c.ec2}.EncodeFault(w, rq, c.f)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%d %s\nwant %d %s", w.Code, w.Body, c.status, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("StackName=s&Parameters.member.1.ParameterKey=a")
	f.Add("Parameters.member.-1=&Tags.member.1.Key=%41&&=&.=.")
	f.Fuzz(func(t *testing.T, body string) {
		for _, ec2 := range []bool{false, true} {
			var in cloudformation.CreateStackInput
			err := awsquery.Codec{EC2: ec2}.Decode(request(&cloudformation.Model, "CreateStack", "POST", "/", body), &in)
			if err != nil && fault.As(err) == nil {
				t.Fatalf("not a fault: %v", err)
			}
		}
	})
}
