package template

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestQuirks are the corners of YAML that templates are known to hit.
func TestQuirks(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct{ name, text, want string }{
		{"byte order mark", "\ufeffa: 1", `{"a":1}`},
		{"lines that end in CR LF", "a: 1\r\nb: |\r\n  x\r\n  y\r\n", `{"a":1,"b":"x\ny\n"}`},
		{"a line that is very long", "a: " + long, `{"a":"` + long + `"}`},
		{"keys that are not strings", "1: a\ntrue: b\n2012-10-17: c\n1.5: d\nyes: e\n", `{"1":"a","1.5":"d","2012-10-17":"c","true":"b","yes":"e"}`},
		{"dates and times", "a: 2012-10-17\nb: 2001-12-14t21:59:43.10-05:00\nc: 190:20:30", `{"a":"2012-10-17","b":"2001-12-14t21:59:43.10-05:00","c":"190:20:30"}`},
		{"numbers", "a: 0o17\nb: 017\nc: 0x1F\nd: 1_000\ne: 08\nf: 1e3\ng: 1.0e+3\nh: +5\ni: .5\nj: .inf\nk: 1.", `{"a":"0o17","b":15,"c":31,"d":1000,"e":"08","f":"1e3","g":1000,"h":5,"i":0.5,"j":".inf","k":1}`},
		{"truth", "a: [yes, No, ON, off, y, n, TRUE, truE]", `{"a":[true,false,true,false,"y","n",true,"truE"]}`},
		{"nothing", "a:\nb: ~\nc: null\nd: ''\ne: 'null'", `{"a":null,"b":null,"c":null,"d":"","e":"null"}`},
		{"functions of lists and maps", "a: !Sub\n  - ${x}\n  - x: 1\nb: !Transform {Name: N}\nc: !GetAtt\n  - A\n  - B.C\nd: !If\n  - A\n  - !Ref B\n  - !Equals [a, !Ref C]",
			`{"a":{"Fn::Sub":["${x}",{"x":1}]},"b":{"Fn::Transform":{"Name":"N"}},"c":{"Fn::GetAtt":["A","B.C"]},"d":{"Fn::If":["A",{"Ref":"B"},{"Fn::Equals":["a",{"Ref":"C"}]}]}}`},
		{"a function of what would be no text", "a: !Ref 1\nb: !Condition Yes\nc: !Sub 2012-10-17\nd: !GetAZs", `{"a":{"Ref":"1"},"b":{"Condition":"Yes"},"c":{"Fn::Sub":"2012-10-17"},"d":{"Fn::GetAZs":""}}`},
		{"an anchor on a function", "a: &x !Sub '${y}'\nb: *x", `{"a":{"Fn::Sub":"${y}"},"b":{"Fn::Sub":"${y}"}}`},
		{"merges of several", "a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nc: {<<: [*a, *b], r: 3}", `{"a":{"p":1,"q":1},"b":{"q":2,"r":2},"c":{"p":1,"q":1,"r":3}}`},
		{"the end of a document", "a: 1\n...\n", `{"a":1}`},
		{"a directive", "%YAML 1.1\n---\na: yes\n", `{"a":true}`},
		{"a comment at the end of a block", "a: |\n  x\n  # y\n# z\n", `{"a":"x\n# y\n"}`},
		{"types said outright", "a: !!str 5\nb: !!int '5'\nc: !!bool 'yes'\nd: !!str yes", `{"a":"5","b":5,"c":true,"d":"yes"}`},
		{"tabs that indent nothing", "a:\t1\nb: [1,\t2]\t\n", `{"a":1,"b":[1,2]}`},
	} {
		n, err := Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := json.Marshal(n.Value())
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s:\n got %.300s\nwant %.300s", c.name, got, c.want)
		}
	}
}

// TestQuirksRefused are those that CloudFormation refuses, with their place.
func TestQuirksRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a key that is a list", "[a, b]: c\n", "a key must be a string"},
		{"a key that is a function", "!Ref a: c\n", "a key must be a string"},
		{"keys that are the same as text", "1: a\n'1': b\n", "Duplicate key '1' (line 2, column 1)"},
		{"a key twice in a flow", "a: {b: 1, b: 2}\n", "Duplicate key 'b' (line 1, column 11)"},
		{"an alias of nothing", "a: *b\n", "YAML not well-formed"},
		{"a merge of a number", "a:\n  <<: 5\n", "<< takes a map"},
		{"indentation by tabs", "a:\n\t- 1\n", "line 2"},
		{"text that is not UTF-8", "a: \xff\n", "not UTF-8"},
		{"control characters", "a: \x01\n", "YAML not well-formed"},
		{"indentation that does not line up", "a:\n    b: 1\n  c: 2\n", "line "},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.name, err, c.want)
		}
	}
}
