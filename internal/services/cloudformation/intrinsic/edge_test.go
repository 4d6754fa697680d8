package intrinsic_test

import (
	"encoding/json"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// TestEdges are the less usual arguments of functions.
func TestEdges(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`!Sub "${!Name}${! Name}${ !Name}$${Name}"`, `"${Name}${ Name}${Name}$hello"`},
		{`!Sub "${ Name }"`, `"hello"`},
		{`!Sub "${"`, `"${"`},
		{`!Sub "{Name} $Name $"`, `"{Name} $Name $"`},
		{`!Sub "${AWS::Region}"`, `"us-east-1"`},
		{`!Sub ["${Name}", {Name: mine}]`, `"mine"`},
		{`!Sub ["${x}", {x: "${Name}"}]`, `"${Name}"`}, // what is put in is not looked at again
		{`!Sub "${}"`, `Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons`},
		{`!Sub "${Name:-x}"`, `Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons`},
		{`!Sub [x]`, `Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string`},
		{`!Join ["", []]`, `""`},
		{`!Join [!Ref Name, [a]]`, `Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.`},
		{`!Split [",", "a,,b,"]`, `["a","","b",""]`},
		{`!Split [",", [a]]`, `Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.`},
		{`!Select [x, [a]]`, `Template error: Fn::Select requires a list argument with two elements: an integer index and a list`},
		{`!Cidr ["192.168.0.0/24", 6, 5]`, `["192.168.0.0/27","192.168.0.32/27","192.168.0.64/27","192.168.0.96/27","192.168.0.128/27","192.168.0.160/27"]`},
		{`!Cidr ["10.0.0.77/24", 2, 6]`, `["10.0.0.0/26","10.0.0.64/26"]`},
		{`!Cidr ["0.0.0.0/0", 3, 24]`, `["0.0.0.0/8","1.0.0.0/8","2.0.0.0/8"]`},
		{`!Cidr ["fd00::/8", 2, 100]`, `["fd00::/28","fd00:10::/28"]`},
		{`!ToJsonString {a: !If [Other, x, !Ref "AWS::NoValue"], l: !Split [",", "p,q"], n: {t: true, f: 1.5}}`, `"{\"l\":[\"p\",\"q\"],\"n\":{\"f\":1.5,\"t\":true}}"`},
		{`{"Fn::Length": !Split [",", "p,q"]}`, `2`},
		{`{"Fn::Length": !Ref List}`, `3`},
		{`!FindInMap [M, nowhere, ami, {DefaultValue: !Sub "${Name}!"}]`, `"hello!"`},
		{`!FindInMap [None, nowhere, ami, {DefaultValue: [a]}]`, `["a"]`},
	} {
		t.Run(c.in, func(t *testing.T) {
			n, err := template.Parse([]byte("v: " + c.in))
			if err != nil {
				t.Fatal(err)
			}
			v, err := scope(t, true).Eval(n.Value().(map[string]any)["v"])
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				b, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				got = string(b)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestNestedLoops expands loops within loops, in every section that has them.
func TestNestedLoops(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`Conditions: {"Fn::ForEach::C": [E, [a, b], {"Is${E}": {"Fn::Equals": [{Ref: E}, "${E}"]}}]}`, `{"Conditions":{"Isa":{"Fn::Equals":["a","a"]},"Isb":{"Fn::Equals":["b","b"]}}}`},
		{`Outputs: {"Fn::ForEach::O": [Ip, [10.0.0.1], {"Out&{Ip}": {Value: "${Ip}"}}]}`, `{"Outputs":{"Out10001":{"Value":"10.0.0.1"}}}`},
		{`Resources: {"Fn::ForEach::A": [X, [p, q], {"Fn::ForEach::B": [Y, ["1", "2"], {"R${X}${Y}": {Type: "${X}-${Y}"}}]}]}`,
			`{"Resources":{"Rp1":{"Type":"p-1"},"Rp2":{"Type":"p-2"},"Rq1":{"Type":"q-1"},"Rq2":{"Type":"q-2"}}}`},
		// A value that looks like a variable of the outer loop stays as it is.
		{`Resources: {"Fn::ForEach::A": [X, [p], {"Fn::ForEach::B": [Y, ["$${X}"], {"R${X}": {Type: "${Y}"}}]}]}`, `{"Resources":{"Rp":{"Type":"$p"}}}`},
		{`Resources: {"Fn::ForEach::A": [X, ["${Y}", "{X}"], {"R&{X}": {"Fn::ForEach::B": [Y, [z], {"k${Y}": "${X} ${!X}"}]}}]}`,
			`{"Resources":{"RX":{"kz":"{X} ${!X}"},"RY":{"kz":"${Y} ${!X}"}}}`},
		{`Resources: {R: {"Fn::ForEach::P": [X, [], {"${X}": 1}], Type: t}}`, `{"Resources":{"R":{"Type":"t"}}}`},
	} {
		n, err := template.Parse([]byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		out, err := scope(t, true).Expand(n.Value().(map[string]any))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := template.JSON(out); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}
