package vtl

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// render renders a template with the values of a JSON object.
func render(t testing.TB, src, values string) (string, error) {
	t.Helper()
	vars := Vars{}
	if values != "" {
		v, err := ParseJSON([]byte(values))
		if err != nil {
			t.Fatal(err)
		}
		m := v.(*Map)
		for _, k := range m.Keys() {
			vars[k], _ = m.Get(k)
		}
	}
	c, err := Compile(src)
	if err != nil {
		return "", err
	}
	b, err := c.Render(nil, vars, Limits{})
	return string(b), err
}

// TestConformance renders recorded templates.
func TestConformance(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(conformance(t, "vtl"), "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name, Template, Expected string
			Context                  json.RawMessage
			Options                  struct {
				IgnoreWhitespaces bool `json:"ignore_whitespaces"`
			}
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			got, err := render(t, c.Template, string(c.Context))
			if c.Options.IgnoreWhitespaces {
				got = strings.Join(strings.Fields(got), " ")
			}
			if err != nil || got != c.Expected {
				t.Errorf("%s with %s\n got %q, %v\nwant %q", c.Template, c.Context, got, err, c.Expected)
			}
		})
	}
}

// conformance returns a folder of the conformance data, or skips the test.
func conformance(t *testing.T, folder string) string {
	dir := os.Getenv("TIERRA_CONFORMANCE")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil || root == filepath.Dir(root) {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "conformance")
	}
	dir = filepath.Join(dir, folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the conformance data is not here: %v", err)
	}
	return dir
}

func TestRender(t *testing.T) {
	const vars = `{"s":"Hello, W\u00f6rld","l":[3,1,2],"m":{"a":1,"b":[true,null,1.5],"c":{}},"n":7,"f":2.5,"e":"","t":true}`
	for _, c := range []struct{ src, want string }{
		// printing
		{"$m", "{a=1, b=[true, null, 1.5], c={}}"}, {"$l $n $f $t", "[3, 1, 2] 7 2.5 true"},
		{"$nothing|$!nothing|${nothing}|$!{nothing.x.y()}", "|||"}, {"${nothing|'d'} ${n|'d'} ${e|$n}", "d 7 7"},
		{"$ $5 $. ${ ${}", "$ $5 $. ${ ${}"}, {"$n.", "7."}, {"${n}px $n-px", "7px "},
		{"#set($x = 10000000.0)$x #set($x = 0.0001)$x #set($x=3.0)$x", "1.0E71.0E-43.0"},
		// arithmetic
		{"#set($x = 7 / 2)$x #set($x = 7 % 4)$x #set($x = 7.0 / 2)$x #set($x = 1 - -2)$x", "333.53"},
		{"#set($x = 9223372036854775807 + 1)$x", "9223372036854775808"}, {"#set($x = 4 / 0).$x.", ".."},
		{"#set($x = 'a' + 1 + 2)$x #set($x = 1 + 2 + 'a')$x", "a123a"},
		// comparison and logic
		{"#if(1 == 1.0)y#end#if('1' == 1)y#end#if('a' < 'b')n#end#if(2 lt 3 and not (3 le 2))y#end#if(1 ne 2 or $x)y#end", "yyyy"},
		{"#if([1,2] == [1,2])y#end#if({'a':1} == {'a':1})y#end#if($e)y#end#if(0)y#end#if([])y#end", "yyy"},
		// blocks
		{"#foreach($x in $l)$foreach.index/$foreach.count:$x#if($foreach.first)f#end#if($foreach.last)l#else,#end#end", "0/1:3f,1/2:1,2/3:2l"},
		{"#foreach($x in $m)$x;#end", "1;[true, null, 1.5];{};"}, {"#foreach($x in [1..5])#if($x == 3)#break#end$x#end.", "12."},
		{"#foreach($x in [1..2])#foreach($y in [1..2])$foreach.parent.index$foreach.index #end#end", "00 01 10 11 "},
		{"#foreach($x in $m.entrySet())$x.key=$x.value,#end", "a=1,b=[true, null, 1.5],c={},"},
		{"#macro(twice $x $y)$x$x$!y#end#twice('a')#twice(1 2)", "aa112"}, {"#macro(wrap $x)<$x>$bodyContent</$x>#end#@wrap('b')hi#end", "<b>hi</b>"},
		{"#late(1)#macro(late $x)[$x]#end", "[1]"}, {"#define($d)<$n>#end$d#set($n=8)$d $d.length()", "<7><8> "},
		{"#set($c = '#set($z = 5)$z')#evaluate($c)$z", "55"}, {"a#stop b", "a"}, {"#[[$n #if]]#", "$n #if"}, {"a#* $n *#b", "ab"},
		{"#unknown($n) #fff # #1", "#unknown($n) #fff # #1"},
		{"a\n#if(true)  \nb\n#end  \nc", "a\nb\nc"}, {"#if(false)\na\n#elseif(true)\nb\n#else\nc\n#end\n", "b\n"},
		// strings
		{`#set($x = "a""b $n ${n}c #if(true)d#end")$x #set($x = 'it''s $n')$x`, `a"b 7 7c dit's $n`}, {`#set($x = "\u0041")$x`, "A"},
		{"$s.length() $s.substring(7) $s.substring(0,5) $s.indexOf('W') $s.charAt(8) $s.toUpperCase()", "12 Wörld Hello 7 ö HELLO, WÖRLD"},
		{"$s.split(', ').size() $s.split(',')[1].trim() $s.replace('l','L') $s.replaceAll('(l+)','<$1>') $s.replaceFirst('l','')", "2 Wörld HeLLo, WörLd He<ll>o, Wör<l>d Helo, Wörld"},
		{"$s.startsWith('He') $s.endsWith('x') $s.contains('o, ') $s.equals('x') $s.equalsIgnoreCase('HELLO, WÖRLD') $s.matches('.*W.*')", "true false true false true true"},
		{"$e.isEmpty() $s.concat('!') $s.lastIndexOf('l') $s.compareTo('Hello') $s.hashCode() $s.nothing().more", "true Hello, Wörld! 10 7 -501819483 "},
		{"#set($a = 'a,b,,c,,'.split(','))", "#set"},
		// collections
		{"$l.size() $l.get(0) $l[1] $l[-1] $l.contains(2) $l.indexOf(9) $l.isEmpty() $l.add(4) $l", "3 3 1 2 true -1 false true [3, 1, 2, 4]"},
		{"$l.remove(0) $l $l.addAll([7,8]) $l.set(0, 'x') $l.subList(1,3)", "3 [1, 2] true 1 [2, 7]"},
		{"$m.size() $m.get('a') $m.keySet() $m.values() $m.containsKey('z') $m.put('z', 1) $m.remove('a') $m", "3 1 [a, b, c] [1, [true, null, 1.5], {}] false  1 {b=[true, null, 1.5], c={}, z=1}"},
		{"#set($m.c.d = 1)#set($m['e f'] = [])#set($l[0] = 9)$m.c $m.get('e f') $l", "{d=1} [] [9, 1, 2]"},
		{"$n.intValue() $f.intValue() $n.toString().length() $f.compareTo(2.0)", "7 2 1 1"},
		{"#set($it = $l.iterator())$it.next()$it.hasNext()", "3true"},
	} {
		if c.want == "#set" { // a literal is no reference: it has no methods
			if _, err := render(t, c.src, vars); err == nil {
				t.Errorf("%s: no error", c.src)
			}
			continue
		}
		got, err := render(t, c.src, vars)
		if err != nil || got != c.want {
			t.Errorf("%s\n got %q, %v\nwant %q", c.src, got, err, c.want)
		}
	}
}

// TestTemplates holds what many templates become.
func TestTemplates(t *testing.T) {
	b, err := os.ReadFile("testdata/templates.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "values "); ok {
			values = text
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		src, err1 := strconv.Unquote(q)
		want, bad := line[len(q)+1:], false
		if bad = want == "error"; !bad {
			want, err = strconv.Unquote(want)
		}
		if err != nil || err1 != nil {
			t.Fatalf("%s: %v %v", line, err, err1)
		}
		got, err := render(t, src, values)
		if (err != nil) != bad || !bad && got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", src, got, err, want)
		}
	}
}

func TestBad(t *testing.T) {
	for _, src := range []string{
		"#if(true)", "#end", "#else", "#set($x)", "#set(x = 1)", "#set($x = )", "#foreach($x 1 $y)#end", "#foreach($x in [1)#end", "#if", "#set($x = 'a)",
		"#include('x')", "#parse('x')", "#* x", "#[[ x", "$x.y(", "$x.y(1", "#macro()#end", "#define(x)#end", "#set($x.y() = 1)", "#set($x = {1})",
		strings.Repeat("#if(true)", 300) + strings.Repeat("#end", 300), "#set($x = " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + ")",
		"#set($s='abc')$s.substring(9)", "#set($l=[1])$l.get(1)", "#set($l=[1])$l[5]", "#set($s='a')$s.matches('(')", "#set($s='a')$s.matches('(?=a)')", "#set($s='a')$s.replaceAll('a','$1')",
	} {
		if got, err := render(t, src, ""); err == nil {
			t.Errorf("%.60s: rendered %q", src, got)
		}
	}
}

// TestLimits holds that no template hangs or explodes.
func TestLimits(t *testing.T) {
	nested := strings.Repeat("#foreach($x in [1..1000])", 10) + "x" + strings.Repeat("#end", 10)
	for _, src := range []string{
		"#foreach($x in [1..1001])#end", "#set($x = [1..999999999])", nested,
		"#set($x='aaaaaaaaaa')#foreach($i in [1..100])#set($x = $x + $x)#end", "#set($x='a')#foreach($i in [1..100])#set($x = \"$x$x\")#end",
		"#macro(f)#f()#end#f()", `#macro(f $x)$x#f("$x$x")#end#f('y')`, "#set($a=[1])#foreach($i in [1..60])#set($a = [$a,$a])#end$a.hashCode()", "#define($d)$d#end$d", "#set($e = '#evaluate($e)')#evaluate($e)",
		"#set($x='aaaaaaaaaa')#foreach($i in [1..20])#set($x = $x.replaceAll('a', $x))#end", "#set($x='ab')#foreach($i in [1..100])#set($x = $x.repeat(1000))#end",
		"#set($l=[1])#foreach($i in [1..100])#set($j = $l.addAll($l))#end", "#set($l=[1])#foreach($i in [1..100])#set($l = [$l,$l])#end$l",
		"#set($a=[1])#set($b=[1])#foreach($i in [1..60])#set($a = [$a,$a])#set($b = [$b,$b])#end#if($a == $b)#end",
		"#set($a=[1])#set($b=[1])#foreach($i in [1..60])#set($a = [$a,$a])#set($b = [$b,$b])#end#if($a.equals($b))#end",
	} {
		if _, err := render(t, src, ""); !errors.Is(err, ErrLimit) {
			t.Errorf("%.60s: %v", src, err)
		}
	}
	if got, err := render(t, "#set($l=[1])#set($j=$l.add($l))$l #set($m={})#set($m.x=$m)$m", ""); err != nil || got != "[1, (this Collection)]{x=(this Map)}" {
		t.Error(got, err)
	}
}

// TestShared holds that values that contain each other, or themselves, do not
// become endless texts.
func TestShared(t *testing.T) {
	m := NewMap()
	m.Put("self", m)
	wide := &List{}
	for range 60 {
		wide = &List{Items: []any{wide, wide}}
	}
	for _, v := range []any{m, wide} {
		if _, err := AppendJSON(nil, v); !errors.Is(err, ErrLimit) {
			t.Errorf("JSON: %v", err)
		}
	}
	if _, err := Text(wide); !errors.Is(err, ErrLimit) {
		t.Errorf("text: %v", err)
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"#set($x = [1,2])#foreach($i in $x)$i#if($foreach.hasNext),#end#end", `"a $b.c('x')[0] \$d ${e|"f"}"`, "#macro(m $a)$a#end#m('x') #define($d)x#end$d",
		"$s.replaceAll('(a)', '$1').split(',') $m.entrySet() #evaluate('$s') #stop #break", "#[[ x ]]# #* y *# ## z\n$l.subList(0,1) [1..3]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		c, err := Compile(src)
		if err != nil {
			return
		}
		m := NewMap()
		m.Put("a", int64(1))
		vars := Vars{"s": "a,b\u00e9", "l": &List{Items: []any{int64(1), "x"}}, "m": m, "n": int64(3)}
		limits := Limits{Output: 1 << 16, Steps: 20_000, Memory: 1 << 20}
		b, err := c.Render(nil, vars, limits)
		if err == nil && len(b) > limits.Output {
			t.Errorf("%d bytes", len(b))
		}
	})
}

func BenchmarkRender(b *testing.B) {
	c, err := Compile(`#set($inputRoot = $body){"items":[#foreach($i in $inputRoot.items){"id":"$i.id","name":"$i.name"}#if($foreach.hasNext),#end#end]}`)
	if err != nil {
		b.Fatal(err)
	}
	v, _ := ParseJSON([]byte(`{"items":[{"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3,"name":"c"}]}`))
	vars := Vars{"body": v}
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		if out, err = c.Render(out[:0], vars, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCompiler holds that templates that share references render as they do alone.
func TestCompiler(t *testing.T) {
	texts := []string{
		"$a.b ${a.b} $!a.b $a.get('b') $a['b']", "#set($a.b = 2)$a.b #set($a = 3)$a.b|$a", `#macro(m $x)<$x>#end$a.get("#m('b')") ${x|"$a.b"}`,
		`#macro(m $x)b#end$a.get("#m('c')") ${x|"$a.b"}`, "$a.b #foreach($a in [1, 2])$a#end$a.b",
	}
	scope := func() Vars {
		m := NewMap()
		m.Put("b", "c")
		return Vars{"a": m}
	}
	var c Compiler
	for range 2 {
		for _, text := range texts {
			alone, err := Compile(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			shared, err := c.Compile(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			want, err := alone.Render(nil, scope(), Limits{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if got, err := shared.Render(nil, scope(), Limits{}); err != nil || string(got) != string(want) {
				t.Errorf("%s: %q %v, alone %q", text, got, err, want)
			}
		}
	}
}
