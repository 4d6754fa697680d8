package runtime

import "testing"

func TestProcessorTimes(t *testing.T) {
	for text, want := range map[string][2]uint64{
		"cpu  10 20 30 400 50 6 7 8 9 10\ncpu0 1 2\n": {450, 531},
		"cpu  10 20 30 400 50\n":                      {450, 510},
		"cpu  10 20 30 400 50 6 7 8 9 10":             {}, // cut off
		"cpu  10 20 x 400 50\n":                       {},
		"intr 10 20 30 400 50\n":                      {},
		"":                                            {},
	} {
		idle, all, ok := parseProcessorTimes([]byte(text))
		if got := [2]uint64{idle, all}; got != want || ok != (want[1] > 0) {
			t.Errorf("%q: %v %t", text, got, ok)
		}
	}
	if idle, all, ok := processorTimes(); !ok || all < idle || all == 0 {
		t.Errorf("this machine: %d of %d, %t", idle, all, ok)
	}
}
