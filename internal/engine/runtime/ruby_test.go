//go:build linux

package runtime_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
)

const rubyFunction = `
require_relative 'lib/words'
require 'logger'

class Odd < StandardError; end

def handler(event:, context:)
  case event.is_a?(Hash) && event['do']
  when 'error' then raise Odd, 'no luck'
  when 'log'
    puts "one"
    Logger.new($stdout).info('an info')
    $stderr.write "three"
    Logger.new($stdout).debug('fine')
    nil
  when 'big' then 'x' * event['n']
  when 'exit' then exit! 3
  when 'context'
    { id: context.aws_request_id, arn: context.invoked_function_arn, name: context.function_name, version: context.function_version,
      memory: context.memory_limit_in_mb, group: context.log_group_name, stream: context.log_stream_name,
      left: context.get_remaining_time_in_millis.between?(1, 30_000), deadline: context.deadline_ms > 0, custom: context.client_context['custom'],
      identity: context.identity['cognitoIdentityId'], trace: ENV['_X_AMZN_TRACE_ID'], greeting: Words::GREETING + ENV['GREETING'], cwd: Dir.pwd }
  else event
  end
end

module Deep
  class Handlers
    def self.process(event:, context:) = { deep: event }
  end
end
`

func ruby(t *testing.T, handler string) (runtime.Config, *log) {
	return config(t, "ruby3.2", handler, code(t, map[string]string{
		"app.rb": rubyFunction, "lib/words.rb": "module Words\n  GREETING = 'say '\nend\n", "broken.rb": "def handler(", "raises.rb": "raise 'at load'\n",
	}))
}

func TestRuby(t *testing.T) {
	cfg, l := ruby(t, "app.handler")
	e := start(t, cfg)
	for _, payload := range []string{`{"a":"ü"}`, `[1,2.5,null]`, `"text"`, `null`, `"` + strings.Repeat("y", 1<<20) + `"`} {
		if res := invoke(t, e, event("id", payload)); string(res.Payload) != payload || res.FunctionError != "" {
			t.Errorf("%.100s: %.100s", payload, res.Payload)
		}
	}
	inv := event("id-1", `{"do":"context"}`)
	inv.ClientContext, inv.CognitoIdentity = `{"custom":{"k":"v"}}`, `{"cognitoIdentityId":"me"}`
	const want = `{"id":"id-1","arn":"arn:aws:lambda:us-east-1:000000000000:function:fn","name":"fn","version":"$LATEST","memory":"512",` +
		`"group":"/aws/lambda/fn","stream":"stream","left":true,"deadline":true,"custom":{"k":"v"},"identity":"me","trace":"Root=1-2-3","greeting":"say hello","cwd":"/var/task"}`
	if res := invoke(t, e, inv); string(res.Payload) != want {
		t.Errorf("%s", res.Payload)
	}
	res := invoke(t, e, event("id-2", `{"do":"error"}`))
	if kind, message := failureOf(t, res); kind != "Function<Odd>" || message != "no luck" || !strings.Contains(string(res.Payload), "\"stackTrace\":[\"/var/task/app.rb:9:in `handler'\"]") {
		t.Errorf("%s", res.Payload)
	}
	if kind, _ := failureOf(t, invoke(t, e, event("id", `{"do":"big","n":6291557}`))); kind != "Function.ResponseSizeTooLarge" {
		t.Error(kind)
	}
	invoke(t, e, event("id-3", `{"do":"log"}`))
	all := l.all()
	for _, part := range []string{"id-3|one\n", "INFO -- : an info", "id-3|three", "DEBUG -- : fine", `id-2|Error raised from handler method {"errorMessage":"no luck"`} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is missing in %s", part, all)
		}
	}
	if kind, _ := failureOf(t, invoke(t, e, event("id", `{"do":"exit"}`))); kind != "Runtime.ExitError" {
		t.Error(kind)
	}
}

func TestRubyHandlers(t *testing.T) {
	cfg, _ := ruby(t, "app.Deep::Handlers.process")
	if res := invoke(t, start(t, cfg), event("id", `1`)); string(res.Payload) != `{"deep":1}` {
		t.Errorf("%s", res.Payload)
	}
	for handler, kind := range map[string]string{
		"missing.handler": "Init<LoadError>", "broken.handler": "Init<SyntaxError>", "raises.handler": "Init<RuntimeError>", "app.nothing": "Runtime.HandlerNotFound",
		"app.No.thing": "Init<NameError>", "app": "Runtime.MalformedHandlerName", "../app.handler": "Runtime.MalformedHandlerName",
	} {
		cfg.Handler = handler
		_, err := runtime.Start(t.Context(), cfg)
		var init *runtime.InitError
		if !errors.As(err, &init) || init.Type != kind {
			t.Errorf("%s: %v", handler, err)
		}
	}
}

func TestRubyJSONLogs(t *testing.T) {
	cfg, l := ruby(t, "app.handler")
	cfg.Env = append(cfg.Env, "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL=INFO")
	e := start(t, cfg)
	invoke(t, e, event("id-1", `{"do":"log"}`))
	invoke(t, e, event("id-2", `{"do":"error"}`))
	all := l.all()
	for _, part := range []string{`"level":"INFO","requestId":"id-1","message":"an info"}`, `"level":"ERROR","requestId":"id-2","errorMessage":"no luck","errorType":"Function<Odd>"`} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is missing in %s", part, all)
		}
	}
	if strings.Contains(all, "fine") {
		t.Errorf("DEBUG is below INFO: %s", all)
	}
}
