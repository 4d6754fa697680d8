package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// deploy measures how long stacks take, from the request to their last status, and
// how long the transform of SAM templates takes.
func (b *bench) deploy() error {
	note("deploying stacks")
	dir := filepath.Join(b.tmp, "stacks")
	p, err := b.serve(dir)
	if err != nil {
		return err
	}
	defer p.stop(syscall.SIGTERM)
	c, err := readCredentials(dir)
	if err != nil {
		return err
	}
	s := signer{c, p.addr}
	table("Deploying", "what", "median", "best", "worst", "goal")
	for _, size := range []struct {
		resources int
		goal      string
	}{{20, "under 300 ms"}, {200, "under 2 s"}} {
		body := stackOf(size.resources)
		var made, same, gone []time.Duration
		for n := range 5 {
			name := fmt.Sprintf("s%d-%d", size.resources, n)
			form := url.Values{"StackName": {name}, "TemplateBody": {body}, "Capabilities.member.1": {"CAPABILITY_NAMED_IAM"}}
			d, err := s.operation("CreateStack", name, "CREATE_COMPLETE", form)
			if err != nil {
				return err
			}
			made = append(made, d)
			began := time.Now()
			if answer, err := s.query("UpdateStack", form); err != nil || !strings.Contains(answer, "No updates are to be performed") {
				return fmt.Errorf("an update without changes: %w: %s", err, answer)
			}
			same = append(same, time.Since(began))
			if d, err = s.operation("DeleteStack", name, "", url.Values{"StackName": {name}}); err != nil {
				return err
			}
			gone = append(gone, d)
		}
		what := fmt.Sprintf("stack of %d resources, ", size.resources)
		row(what+"creation", ms(median(made)), ms(least(made)), ms(most(made)), size.goal)
		row(what+"update without changes", ms(median(same)), ms(least(same)), ms(most(same)), "under 50 ms")
		row(what+"deletion", ms(median(gone)), ms(least(gone)), ms(most(gone)), "")
	}
	return b.transforms()
}

// stackOf is a template of n resources, in twenties: roles, functions, log groups,
// parameters, tables, buckets and an API.
func stackOf(n int) string {
	all := map[string]any{}
	add := func(id, kind string, props map[string]any, after ...string) {
		r := map[string]any{"Type": kind, "Properties": props}
		if len(after) > 0 {
			r["DependsOn"] = after
		}
		all[id] = r
	}
	att := func(id, name string) any { return map[string]any{"Fn::GetAtt": []string{id, name}} }
	ref := func(id string) any { return map[string]any{"Ref": id} }
	trust := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
	}}}
	for i := range n / 20 {
		for j := range 4 {
			k := fmt.Sprintf("%d%d", i, j)
			add("Role"+k, "AWS::IAM::Role", map[string]any{"AssumeRolePolicyDocument": trust})
			add("Func"+k, "AWS::Lambda::Function", map[string]any{
				"Runtime": "python3.13", "Handler": "index.f", "Role": att("Role"+k, "Arn"), "Code": map[string]any{"ZipFile": "def f(e, c): return 1"},
			})
			add("Logs"+k, "AWS::Logs::LogGroup", map[string]any{"RetentionInDays": 7})
		}
		for j := range 2 {
			k := fmt.Sprintf("%d%d", i, j)
			add("Param"+k, "AWS::SSM::Parameter", map[string]any{"Type": "String", "Value": ref("Table" + k)})
			add("Bucket"+k, "AWS::S3::Bucket", map[string]any{})
			add("Table"+k, "AWS::DynamoDB::Table", map[string]any{
				"BillingMode": "PAY_PER_REQUEST", "KeySchema": []any{map[string]any{"AttributeName": "k", "KeyType": "HASH"}},
				"AttributeDefinitions": []any{map[string]any{"AttributeName": "k", "AttributeType": "S"}},
			})
		}
		k := fmt.Sprint(i)
		add("Api"+k, "AWS::ApiGateway::RestApi", map[string]any{"Name": "api" + k})
		add("Path"+k, "AWS::ApiGateway::Resource", map[string]any{"RestApiId": ref("Api" + k), "ParentId": att("Api"+k, "RootResourceId"), "PathPart": "a"})
	}
	text, err := json.Marshal(map[string]any{"Resources": all})
	if err != nil {
		return "" // maps of strings are always printed
	}
	return string(text)
}

// query calls an operation of CloudFormation and returns the answer's text.
func (s signer) query(action string, form url.Values) (string, error) {
	form.Set("Action", action)
	form.Set("Version", "2010-05-15")
	c, r, err := connect(s.addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	rq := s.request(http.MethodPost, "/", "cloudformation", map[string]string{"content-type": "application/x-www-form-urlencoded"}, form.Encode())
	if _, err := c.Write(rq); err != nil {
		return "", err
	}
	rs, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer rs.Body.Close()
	text, err := io.ReadAll(rs.Body)
	return string(text), err
}

// operation begins an operation on a stack and waits for its last status; "" is
// that there is none any more.
func (s signer) operation(action, name, want string, form url.Values) (time.Duration, error) {
	began := time.Now()
	answer, err := s.query(action, form)
	if err != nil {
		return 0, err
	}
	if strings.Contains(answer, "<Error>") {
		return 0, errors.New(answer)
	}
	for {
		text, err := s.query("DescribeStacks", url.Values{"StackName": {name}})
		if err != nil {
			return 0, err
		}
		_, rest, there := strings.Cut(text, "<StackStatus>")
		status, _, _ := strings.Cut(rest, "<")
		switch {
		case status == want && (there || want == ""):
			return time.Since(began), nil
		case !there:
			return 0, errors.New(text)
		case !strings.HasSuffix(status, "_IN_PROGRESS"):
			return 0, fmt.Errorf("%s of %s ended as %s: %s", action, name, status, text)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
