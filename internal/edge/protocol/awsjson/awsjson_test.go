package awsjson_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/awsjson"
	"github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/gen/kinesis"
	"github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/gen/sqs"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

func request(s *model.Service, op, body string) *protocol.Request {
	return &protocol.Request{
		HTTP: httptest.NewRequest("POST", "http://localhost/", strings.NewReader(body)), Service: s, Op: s.Operation(op), ID: "id-1",
	}
}

const item = `{"TableName":"T","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ConsistentRead":true,"ExpressionAttributeNames":{"#a":"b"}}`

func TestDecodeGenerated(t *testing.T) {
	var in dynamodb.GetItemInput
	if err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "GetItem", item), &in); err != nil {
		t.Fatal(err)
	}
	want := dynamodb.GetItemInput{
		TableName: new("T"), ConsistentRead: new(true), ExpressionAttributeNames: map[string]string{"#a": "b"},
		Key: map[string]dynamodb.AttributeValue{"pk": {S: new("a")}, "sk": {N: new("1")}},
	}
	if !reflect.DeepEqual(in, want) {
		t.Errorf("got %+v", in)
	}
}

func TestDecodeForgiving(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"no body", ``, ""},
		{"null", `null`, ""},
		{"unknown members", `{"X":[{"a":[1e5,-0.5,true,null,"\u00e4"]}],"TableName":"T"}`, "T"},
		{"the last one counts", `{"TableName":"A","TableName":"T"}`, "T"},
		{"null is absent", `{"TableName":"T","Key":null}`, "T"},
		{"null takes back", `{"TableName":"T","TableName":null}`, ""},
		{"escapes", `{"TableName":"\u0054\ud83d\ude39\/"}`, "T😹/"},
		{"half a surrogate pair", `{"TableName":"\ud83dT"}`, "\ufffdT"},
		{"white space", " {\n\t\"TableName\" : \"T\" }\r\n", "T"},
	} {
		var in dynamodb.GetItemInput
		if err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "GetItem", c.body), &in); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := ""
		if in.TableName != nil {
			got = *in.TableName
		}
		if got != c.want || in.Key != nil {
			t.Errorf("%s: %+v", c.name, in)
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	deep := strings.Repeat(`{"L":[`, 400) + `{"S":"x"}` + strings.Repeat(`]}`, 400)
	for _, c := range []struct{ body, want string }{
		{`{`, "Unexpected token"},
		{`{"TableName":"T"} x`, "Unexpected token"},
		{`{"TableName":"T",}`, "Unexpected token"},
		{`{TableName:"T"}`, "Unexpected token"},
		{`{"TableName":"T`, "Unexpected token"},
		{`{"TableName":"a` + "\n" + `"}`, "Unexpected token"},
		{`{"X":01}`, "Unexpected token"},
		{`{"X":tru}`, "Unexpected token"},
		{`{"TableName":"\x"}`, "Unexpected token"},
		{"{\"TableName\":\"\xff\"}", "not valid UTF-8"},
		{`[]`, "Start of list found where not expected"},
		{`"x"`, "STRING_VALUE can not be converted to a Structure"},
		{`{"TableName":1}`, "NUMBER_VALUE can not be converted to a String"},
		{`{"TableName":true}`, "TRUE_VALUE can not be converted to a String"},
		{`{"TableName":["T"]}`, "Start of list found where not expected"},
		{`{"TableName":{}}`, "Start of structure or map found where not expected"},
		{`{"ConsistentRead":"true"}`, "STRING_VALUE can not be converted to a Boolean"},
		{`{"AttributesToGet":[null]}`, "NULL_VALUE can not be an element"},
		{`{"Key":{"a":{"B":"%%"}}}`, "base64"},
		{`{"Key":{"a":` + deep + `}}`, "nested too deeply"},
	} {
		var in dynamodb.GetItemInput
		err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "GetItem", c.body), &in)
		f := fault.As(err)
		if f == nil || f.Common != fault.Serialization || !strings.Contains(f.Message, c.want) {
			t.Errorf("%.60s: %v, want %s", c.body, err, c.want)
		}
	}
	var in dynamodb.QueryInput
	for body, want := range map[string]string{
		`{"Limit":1.5}`:        "DECIMAL_VALUE",
		`{"Limit":4294967296}`: "out of the range",
		`{"Limit":"5"}`:        "STRING_VALUE can not be converted to an Integer",
		`{"Limit":NaN}`:        "Unexpected token",
	} {
		err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "Query", body), &in)
		if f := fault.As(err); f == nil || !strings.Contains(f.Message, want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	if err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "Query", `{"Limit":1e2}`), &in); err != nil || *in.Limit != 100 {
		t.Errorf("1e2: %v", err)
	}
}

func TestDecodeTooLarge(t *testing.T) {
	rq := request(&dynamodb.Model, "GetItem", "")
	rq.Body = http.MaxBytesReader(nil, io.NopCloser(strings.NewReader(item)), 10)
	err := (awsjson.Codec{}).Decode(rq, &dynamodb.GetItemInput{})
	if f := fault.As(err); f == nil || f.Common != fault.RequestTooLarge {
		t.Error(err)
	}
}

func TestEncodeGenerated(t *testing.T) {
	w := httptest.NewRecorder()
	out := &dynamodb.GetItemOutput{
		Item:             map[string]dynamodb.AttributeValue{"pk": {S: new("a\"\\\n\x01<")}, "b": {B: []byte{1, 2}}, "l": {L: []dynamodb.AttributeValue{}}},
		ConsumedCapacity: &dynamodb.ConsumedCapacity{CapacityUnits: new(1.0)},
	}
	if err := (awsjson.Codec{}).Encode(w, request(&dynamodb.Model, "GetItem", ""), out); err != nil {
		t.Fatal(err)
	}
	want := `{"Item":{"b":{"B":"AQI="},"l":{"L":[]},"pk":{"S":"a\"\\\n\u0001<"}},"ConsumedCapacity":{"CapacityUnits":1.0}}`
	if got := w.Body.String(); got != want {
		t.Errorf("got %s", got)
	}
	if h := w.Header(); h.Get("Content-Type") != "application/x-amz-json-1.0" || h.Get("x-amzn-requestid") != "id-1" {
		t.Error(h)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		s            *model.Service
		f            *fault.Fault
		status       int
		body, header string
	}{
		{&dynamodb.Model, dynamodb.ResourceNotFoundException("gone"), 400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"gone"}`, ""},
		{&dynamodb.Model, dynamodb.ConditionalCheckFailedException("no").With("Item", map[string]dynamodb.AttributeValue{"a": {S: new("x")}}), 400,
			`{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no","Item":{"a":{"S":"x"}}}`, ""},
		{&dynamodb.Model, fault.Of(fault.AccessDenied, "no"), 400, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}`, ""},
		{&dynamodb.Model, fault.Of(fault.Validation, "no"), 400, `{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}`, ""},
		{&secretsmanager.Model, secretsmanager.ResourceNotFoundException("gone"), 400, `{"__type":"ResourceNotFoundException","Message":"gone"}`, ""},
		{&kinesis.Model, fault.Of(fault.InternalFailure, "oh"), 500, `{"__type":"InternalFailure","message":"oh"}`, ""},
		{&sqs.Model, sqs.QueueDoesNotExist("gone"), 400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}`, "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		{nil, fault.Of(fault.InvalidAction, "what?"), 400, `{"__type":"UnknownOperationException","message":"what?"}`, ""},
	} {
		w := httptest.NewRecorder()
		rq := &protocol.Request{HTTP: httptest.NewRequest("POST", "/", nil), Service: c.s, ID: "id-1"}
		(awsjson.Codec{}).EncodeFault(w, rq, c.f)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("x-amzn-query-error") != c.header {
			t.Errorf("%d %s %q\nwant %d %s %q", w.Code, w.Body, w.Header().Get("x-amzn-query-error"), c.status, c.body, c.header)
		}
	}
}

// TestEventStream reads the frames with AWS's own decoder.
func TestEventStream(t *testing.T) {
	out := &kinesis.SubscribeToShardOutput{EventStream: func(ctx context.Context, send func(string, any) error) error {
		if err := send("SubscribeToShardEvent", &kinesis.SubscribeToShardEvent{
			Records:            []kinesis.Record{{SequenceNumber: new("1"), Data: []byte("x"), PartitionKey: new("p"), ApproximateArrivalTimestamp: new(time.UnixMilli(1500))}},
			MillisBehindLatest: new(int64(0)),
		}); err != nil {
			return err
		}
		return kinesis.ResourceNotFoundException("gone")
	}}
	w := httptest.NewRecorder()
	if err := (awsjson.Codec{}).Encode(w, request(&kinesis.Model, "SubscribeToShard", ""), out); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/vnd.amazon.eventstream" || !w.Flushed {
		t.Error(got, w.Flushed)
	}
	var got []string
	for r := bytes.NewReader(w.Body.Bytes()); r.Len() > 0; {
		m, err := sdk.NewDecoder().Decode(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, name := range []string{":message-type", ":event-type", ":exception-type", ":content-type"} {
			if v := m.Headers.Get(name); v != nil {
				line += v.String() + " "
			}
		}
		got = append(got, line+string(m.Payload))
	}
	want := []string{
		`event initial-response application/json {}`,
		`event SubscribeToShardEvent application/json {"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1.5,"Data":"eA==","PartitionKey":"p"}],"MillisBehindLatest":0}`,
		`exception ResourceNotFoundException application/json {"message":"gone"}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// A stream that fails for the server's own reasons breaks off: the client must
// not take what it has for whole.
func TestEventStreamBreaksOff(t *testing.T) {
	oops := errors.New("oops")
	out := &kinesis.SubscribeToShardOutput{EventStream: func(context.Context, func(string, any) error) error { return oops }}
	err := (awsjson.Codec{}).Encode(httptest.NewRecorder(), request(&kinesis.Model, "SubscribeToShard", ""), out)
	var cut *protocol.Cut
	if !errors.As(err, &cut) || !errors.Is(err, oops) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(item))
	f.Add([]byte(`{"Key":{"a":{"L":[{"M":{"x":{"NULL":true}}},{"B":"AQI="}]}}}`))
	f.Add([]byte(`{"TableName":"\ud83d\ude39\n","Key":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var in, again dynamodb.GetItemInput
		if err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "GetItem", string(body)), &in); err != nil {
			if fault.As(err) == nil {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		if len(body) > 0 && !json.Valid(body) {
			t.Errorf("took what is no JSON: %q", body)
		}
		// What was read can be written, and reads the same. The input is written
		// as if it were an output.
		rq := request(&dynamodb.Model, "GetItem", "")
		op := *rq.Op
		op.Output = op.Input
		rq.Op = &op
		w := httptest.NewRecorder()
		if err := (awsjson.Codec{}).Encode(w, rq, &in); err != nil {
			t.Fatal(err)
		}
		if err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "GetItem", w.Body.String()), &again); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if !reflect.DeepEqual(in, again) {
			t.Errorf("%+v became %+v", in, again)
		}
	})
}

func BenchmarkGetItem(b *testing.B) {
	out := &dynamodb.GetItemOutput{Item: map[string]dynamodb.AttributeValue{}}
	for _, k := range []string{"pk", "sk", "name", "mail", "street", "city", "country", "created", "updated", "version"} {
		out.Item[k] = dynamodb.AttributeValue{S: new("a value of some length for " + k)}
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var in dynamodb.GetItemInput
			if err := (awsjson.Codec{}).Decode(request(&dynamodb.Model, "GetItem", item), &in); err != nil {
				b.Fatal(err)
			}
		}
	})
	rq := request(&dynamodb.Model, "GetItem", "")
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		w := discard{http.Header{}}
		for b.Loop() {
			if err := (awsjson.Codec{}).Encode(w, rq, out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("request alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			request(&dynamodb.Model, "GetItem", item)
		}
	})
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
