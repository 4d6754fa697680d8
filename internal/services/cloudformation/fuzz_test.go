package cloudformation

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// FuzzStackPolicy holds that what is read as a stack policy can be asked, and that
// everything else is refused with an answer for the user.
func FuzzStackPolicy(f *testing.F) {
	f.Add(`{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "LogicalResourceId/A*", "Condition": {"StringLike": {"ResourceType": ["AWS::*"]}}}]}`, "A1", "AWS::S3::Bucket")
	f.Add(`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "NotAction": "Update:Delete", "NotResource": "*"}}`, "B", "X::Y::Z")
	f.Fuzz(func(t *testing.T, text, id, kind string) {
		p, err := parseStackPolicy(text)
		if err != nil {
			if fault.As(err) == nil {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if len(p.Statement) == 0 && p.denies(updateModify, id, kind) == "" {
			t.Errorf("%q allows something", text)
		}
		p.denies(updateReplace, id, kind)
	})
}

// FuzzDynamicReference holds that a reference that is read is written as it was.
func FuzzDynamicReference(f *testing.F) {
	f.Add("ssm", "name:3")
	f.Add("secretsmanager", "arn:aws:secretsmanager:us-east-1:000000000000:secret:a:SecretString:key:AWSCURRENT:")
	f.Fuzz(func(t *testing.T, service, rest string) {
		d, err := parseDynamic(service, rest)
		if err == nil && (d.id == "" || d.service != service) {
			t.Errorf("%q %q gave %+v", service, rest, d)
		}
	})
}

// FuzzDuration holds that durations are read in bounds.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT1H30M", "PT5M", "PT12H", "PT", "P1D", "PT99999999999H"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := isoDuration(s); ok && d < 0 {
			t.Errorf("%q is %v", s, d)
		}
	})
}
