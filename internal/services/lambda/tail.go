package lambda

import "bytes"

// tailBytes is how much of the log an Invoke with LogType Tail returns.
const tailBytes = 4 << 10

// tail keeps the end of an invocation's log. A nil tail has nothing.
type tail struct{ buf bytes.Buffer }

func (t *tail) add(line string) {
	t.buf.WriteString(line)
	t.buf.WriteByte('\n')
	if over := t.buf.Len() - tailBytes; over > tailBytes {
		t.buf.Next(over)
	}
}

func (t *tail) bytes() []byte {
	if t == nil {
		return nil
	}
	b := t.buf.Bytes()
	return b[max(0, len(b)-tailBytes):]
}
