package s3

import (
	"context"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/call"
)

// refusals are the settings that this room does not honour, by the member's name:
// what is answered to a value. They are the same in every operation that has them.
var refusals = map[string]func(value string) error{
	"ACL": func(v string) error {
		if v == "private" || v == "bucket-owner-full-control" {
			return nil
		}
		return aclNotSupported()
	},
	"GrantFullControl": refuseACL, "GrantRead": refuseACL, "GrantReadACP": refuseACL,
	"GrantWrite": refuseACL, "GrantWriteACP": refuseACL,

	"ServerSideEncryption": func(v string) error {
		if v == encrypted || v == encryptedKMS {
			return nil
		}
		return notImplemented("Server-side encryption with " + v)
	},
	"SSECustomerAlgorithm":           refuse("Server-side encryption with a customer's key (SSE-C)"),
	"SSECustomerKey":                 refuse("Server-side encryption with a customer's key (SSE-C)"),
	"SSECustomerKeyMD5":              refuse("Server-side encryption with a customer's key (SSE-C)"),
	"CopySourceSSECustomerAlgorithm": refuse("Server-side encryption with a customer's key (SSE-C)"),
	"CopySourceSSECustomerKey":       refuse("Server-side encryption with a customer's key (SSE-C)"),
	"CopySourceSSECustomerKeyMD5":    refuse("Server-side encryption with a customer's key (SSE-C)"),

	"StorageClass": func(v string) error {
		if v == "STANDARD" {
			return nil
		}
		return notImplemented("The storage class " + v)
	},
	"WriteOffsetBytes":           refuse("Appending to objects (x-amz-write-offset-bytes)"),
	"ObjectLockMode":             refuse("Object Lock"),
	"ObjectLockRetainUntilDate":  refuse("Object Lock"),
	"ObjectLockLegalHoldStatus":  refuse("Object Lock"),
	"ObjectLockEnabledForBucket": refuseTrue("Object Lock"),
	"MFA":                        refuse("MFA delete"),
	"BucketNamespace": func(v string) error {
		if v == "global" {
			return nil
		}
		return notImplemented("The bucket namespace " + v)
	},
	"ObjectOwnership": func(v string) error {
		if v == "BucketOwnerEnforced" {
			return nil
		}
		return notImplemented("Object ownership " + v + " (only BucketOwnerEnforced is)")
	},
	"IfMatchLastModifiedTime": refuse("The condition x-amz-if-match-last-modified-time, which belongs to directory buckets,"),
	"IfMatchSize":             refuse("The condition x-amz-if-match-size, which belongs to directory buckets,"),
	"IfMatchInitiatedTime":    refuse("The condition x-amz-if-match-initiated-time, which belongs to directory buckets,"),
}

func refuseACL(string) error { return aclNotSupported() }

func refuse(what string) func(string) error {
	return func(string) error { return notImplemented(what) }
}

func refuseTrue(what string) func(string) error {
	return func(v string) error {
		if v == "true" {
			return notImplemented(what)
		}
		return nil
	}
}

// guard puts the refusals that concern an operation's input before its handler.
func guard[I, O any](h call.Handler[I, O]) call.Handler[I, O] {
	type check struct {
		index int
		ask   func(string) error
	}
	var checks []check
	t := reflect.TypeFor[I]()
	for i := range t.NumField() {
		if ask := refusals[t.Field(i).Name]; ask != nil {
			checks = append(checks, check{i, ask})
		}
	}
	return func(ctx context.Context, rq *call.Authorized, in *I) (*O, error) {
		v := reflect.ValueOf(in).Elem()
		for _, c := range checks {
			f := v.Field(c.index)
			if f.IsNil() {
				continue
			}
			value := ""
			switch x := f.Interface().(type) {
			case *string:
				value = *x
			case *bool:
				if *x {
					value = "true"
				}
			}
			if err := c.ask(value); err != nil {
				return nil, err
			}
		}
		return h(ctx, rq, in)
	}
}

// bind binds an operation behind its guard.
func bind[I, O any](op call.Op[I, O], access call.Access[I], h call.Handler[I, O]) call.Binding {
	return call.Bind(op, access, guard(h))
}
