// Command modelpin extracts the interface facts of AWS service models (JSON, as
// botocore ships them) into api/models: operations, shapes, constraints, errors,
// HTTP bindings, and no prose.
//
//	go run ./modelpin -data .../botocore/data -out ../api/models
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// services maps the IAM prefix, which names our rooms, to botocore's folder.
var services = [][2]string{
	{"acm", "acm"}, {"apigateway", "apigateway"}, {"apigatewayv2", "apigatewayv2"}, {"cloudcontrol", "cloudcontrol"}, {"cloudformation", "cloudformation"},
	{"cloudwatch", "cloudwatch"}, {"codedeploy", "codedeploy"}, {"cognito-idp", "cognito-idp"}, {"dynamodb", "dynamodb"}, {"ecr", "ecr"},
	{"events", "events"}, {"iam", "iam"}, {"kinesis", "kinesis"}, {"kms", "kms"}, {"lambda", "lambda"},
	{"logs", "logs"}, {"s3", "s3"}, {"secretsmanager", "secretsmanager"}, {"sns", "sns"}, {"sqs", "sqs"},
	{"ssm", "ssm"}, {"states", "stepfunctions"}, {"sts", "sts"}, {"xray", "xray"},
}

// keep lists what is taken over, by where it stands. Everything else is prose,
// client behaviour, or meant for generators of documentation.
var (
	keepTop      = set("metadata", "operations", "shapes")
	keepMetadata = set("apiVersion", "endpointPrefix", "jsonVersion", "protocol", "protocols", "serviceId",
		"signingName", "targetPrefix", "xmlNamespace", "awsQueryCompatible", "smithyName")
	keepOperation = set("name", "http", "input", "output", "errors", "authtype", "auth", "httpChecksum",
		"httpChecksumRequired", "unsignedPayload")
	keepShape = set("type", "members", "required", "member", "key", "value", "flattened", "locationName",
		"xmlNamespace", "timestampFormat", "payload", "exception", "fault", "error", "union", "streaming",
		"requiresLength", "sensitive", "eventstream", "document", "wrapper", "min", "max", "pattern", "enum", "box")
	keepRef = set("shape", "location", "locationName", "queryName", "flattened", "xmlAttribute", "xmlNamespace",
		"timestampFormat", "jsonvalue", "idempotencyToken", "streaming", "eventheader", "eventpayload", "resultWrapper")
)

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func main() {
	data := flag.String("data", "", "the models' folder (…/botocore/data)")
	out := flag.String("out", "../api/models", "where to write")
	flag.Parse()
	if *data == "" {
		fmt.Fprintln(os.Stderr, "modelpin: -data is needed: the data folder of an installed botocore")
		os.Exit(2)
	}
	for _, s := range services {
		if err := pin(*data, *out, s[0], s[1]); err != nil {
			fmt.Fprintln(os.Stderr, "modelpin:", err)
			os.Exit(1)
		}
	}
}

func pin(data, out, name, folder string) error {
	versions, err := filepath.Glob(filepath.Join(data, folder, "*", "service-2.json*"))
	if err != nil || len(versions) == 0 {
		return fmt.Errorf("%s: no model under %s", name, filepath.Join(data, folder))
	}
	sort.Strings(versions)
	doc, err := read(versions[len(versions)-1])
	if err != nil {
		return err
	}
	top, err := parse(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	prune(top)
	var b bytes.Buffer
	write(&b, top, 0)
	b.WriteByte('\n')
	return os.WriteFile(filepath.Join(out, name+".json"), b.Bytes(), 0o644)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(r)
}

// object keeps the order of its keys, which is the order of elements in XML.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) filter(keep map[string]bool) {
	kept := o.keys[:0]
	for _, k := range o.keys {
		if keep[k] {
			kept = append(kept, k)
		} else {
			delete(o.values, k)
		}
	}
	o.keys = kept
}

func (o *object) each(f func(key string, v *object)) {
	for _, k := range o.keys {
		if v, ok := o.values[k].(*object); ok {
			f(k, v)
		}
	}
}

func (o *object) child(key string) *object {
	v, _ := o.values[key].(*object)
	return v
}

func prune(top *object) {
	top.filter(keepTop)
	top.child("metadata").filter(keepMetadata)
	top.child("operations").each(func(_ string, op *object) {
		op.filter(keepOperation)
		for _, k := range []string{"input", "output"} {
			if r := op.child(k); r != nil {
				r.filter(keepRef)
			}
		}
		if errs, ok := op.values["errors"].([]any); ok {
			for _, e := range errs {
				e.(*object).filter(keepRef)
			}
		}
	})
	top.child("shapes").each(func(_ string, sh *object) {
		sh.filter(keepShape)
		if m := sh.child("members"); m != nil {
			m.each(func(_ string, r *object) { r.filter(keepRef) })
		}
		for _, k := range []string{"member", "key", "value"} {
			if r := sh.child(k); r != nil {
				r.filter(keepRef)
			}
		}
	})
}

func parse(doc []byte) (*object, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	v, err := value(dec)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*object)
	if !ok {
		return nil, fmt.Errorf("the model is not an object")
	}
	return o, nil
}

func value(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	d, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if d == '[' {
		list := []any{}
		for dec.More() {
			v, err := value(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	o := &object{values: map[string]any{}}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := value(dec)
		if err != nil {
			return nil, err
		}
		o.keys = append(o.keys, k.(string))
		o.values[k.(string)] = v
	}
	_, err = dec.Token()
	return o, err
}

// write prints objects one key a line down to the operations and shapes, and the
// rest compactly: small files that still show in a diff what changed.
func write(b *bytes.Buffer, v any, depth int) {
	o, ok := v.(*object)
	if !ok {
		if l, ok := v.([]any); ok {
			b.WriteByte('[')
			for i, e := range l {
				if i > 0 {
					b.WriteByte(',')
				}
				write(b, e, depth+1)
			}
			b.WriteByte(']')
			return
		}
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(v) // a string, number, bool or null always encodes
		b.Truncate(b.Len() - 1)
		return
	}
	b.WriteByte('{')
	for i, k := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if depth < 2 {
			b.WriteString("\n" + strings.Repeat(" ", depth+1))
		}
		write(b, k, depth+1)
		b.WriteByte(':')
		write(b, o.values[k], depth+1)
	}
	if depth < 2 {
		b.WriteString("\n" + strings.Repeat(" ", depth))
	}
	b.WriteByte('}')
}
