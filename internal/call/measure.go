package call

// Measure is a metric that a room has counted since it began, by the names that
// CloudWatch gives it.
type Measure struct {
	Namespace  string // "AWS/ApiGateway"
	Name       string // "Latency"
	Unit       string // UnitCount or UnitMilliseconds
	Account    string
	Region     string
	Dimensions []Dimension
	// Count is how many values there were, and Sum is what they come to. Both only
	// grow while the resource is there.
	Count uint64
	Sum   float64
	// Buckets says for each of Bounds how many values were at most that; both are
	// nil where only the sum matters.
	Bounds  []float64
	Buckets []uint64
}

// Dimension is a part of what a metric is about.
type Dimension struct{ Name, Value string }

// The units of measures.
const (
	UnitCount        = "Count"
	UnitMilliseconds = "Milliseconds"
)

// Measurer is a Service that counts. Measure yields what it has counted; it may
// be called at any time, by several goroutines.
type Measurer interface {
	Measure(yield func(*Measure))
}
