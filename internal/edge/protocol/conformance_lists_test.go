package protocol_test

// The published cases were written for clients. These lists name those that say
// nothing about a server, and why; all others must pass.

const (
	fillsToken  = "the client fills in an idempotency token that is not among the parameters"
	compresses  = "the case shows the header of a compressed body, not the body"
	sendsNone   = "what is empty is not sent, so that a server cannot tell it from absent"
	customHost  = "the client was given an address with a path"
	emptyStruct = "an empty structure is sent for an absent one, so that a server cannot tell them apart"
)

// clientOnly are requests whose parameters cannot be read off them.
var clientOnly = map[string]string{
	"Ec2ProtocolIdempotencyTokenAutoFill":   fillsToken,
	"QueryProtocolIdempotencyTokenAutoFill": fillsToken,
	"QueryIdempotencyTokenAutoFill":         fillsToken,
	"RestJsonQueryIdempotencyTokenAutoFill": fillsToken,

	"SDKAppliedContentEncoding_awsJson1_0":                    compresses,
	"SDKAppliedContentEncoding_awsJson1_1":                    compresses,
	"SDKAppliedContentEncoding_awsQuery":                      compresses,
	"SDKAppliedContentEncoding_ec2Query":                      compresses,
	"SDKAppliedContentEncoding_restJson1":                     compresses,
	"SDKAppliedContentEncoding_restXml":                       compresses,
	"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0": compresses,
	"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1": compresses,
	"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery":   compresses,
	"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_ec2Query":   compresses,
	"SDKAppendedGzipAfterProvidedEncoding_restJson1":          compresses,
	"SDKAppendedGzipAfterProvidedEncoding_restXml":            compresses,

	"Ec2EmptyQueryLists":                sendsNone,
	"QueryEmptyQueryMaps":               sendsNone,
	"RestJsonOmitsEmptyListQueryValues": sendsNone,

	"RestJsonHostWithPath": customHost,

	"RestJsonHttpWithEmptyStructurePayload": emptyStruct,
	"RestJsonHttpWithHeadersButNoPayload":   emptyStruct,
}

// queryMaps are requests whose parameters lack, of the named member, what a
// server puts there: all parameters of the query string.
var queryMaps = map[string]string{
	"AllQueryStringTypes":                             "queryParamsMapOfStrings",
	"RestXmlQueryStringEscaping":                      "queryParamsMapOfStrings",
	"RestXmlSupportsNaNFloatQueryValues":              "queryParamsMapOfStrings",
	"RestXmlSupportsInfinityFloatQueryValues":         "queryParamsMapOfStrings",
	"RestXmlSupportsNegativeInfinityFloatQueryValues": "queryParamsMapOfStrings",
	"RestXmlZeroAndFalseQueryValues":                  "queryParamsMapOfStrings",
	"RestXmlQueryParamsStringListMap":                 "foo",
	"RestXmlQueryPrecedence":                          "baz",
	"RestJsonQueryParamsStringListMap":                "foo",
	"RestJsonQueryPrecedence":                         "baz",
}

const (
	noMessage = "the body has parts that the fault does not have"
	otherForm = "clients take answers of this form too, which the protocol's servers do not give"
	noBody    = "clients take answers without the body, or without the type, that servers give"
	codeForms = "one of several ways to spell a code that clients take; the server has one"
)

// laxReading are answers that clients must understand but that a server does
// not write.
var laxReading = map[string]string{
	"Ec2ComplexError":      noMessage,
	"ComplexError":         noMessage,
	"InvalidGreetingError": noMessage,

	"handles_unexpected_json_output":               otherForm,
	"AwsJson10HandlesUnexpectedJsonOutput":         otherForm,
	"RestJsonDeserializesDenseSetMapAndSkipsNull":  otherForm,
	"RpcV2CborDeserializesDenseSetMapAndSkipsNull": otherForm,

	"QueryEmptyInputAndEmptyOutput": noBody,
	"QueryNoInputAndNoOutput":       noBody,
	"QueryNoInputAndOutput":         noBody,
	"RestXmlHttpResponseCode":       noBody,
	"empty_output_no_body":          noBody,
	"NoOutputClientAllowsEmptyCbor": noBody,
	"NoOutputClientAllowsEmptyBody": noBody,

	"AwsJson10FooErrorUsingXAmznErrorType":                    codeForms,
	"AwsJson10FooErrorUsingXAmznErrorTypeWithUri":             codeForms,
	"AwsJson10FooErrorUsingXAmznErrorTypeWithUriAndNamespace": codeForms,
	"AwsJson11FooErrorUsingXAmznErrorType":                    codeForms,
	"AwsJson11FooErrorUsingXAmznErrorTypeWithUri":             codeForms,
	"AwsJson11FooErrorUsingXAmznErrorTypeWithUriAndNamespace": codeForms,
	"RestJsonFooErrorUsingCode":                               codeForms,
	"RestJsonFooErrorUsingCodeAndNamespace":                   codeForms,
	"RestJsonFooErrorUsingCodeUriAndNamespace":                codeForms,
	"RestJsonFooErrorWithDunderType":                          codeForms,
	"RestJsonFooErrorWithDunderTypeAndNamespace":              codeForms,
	"RestJsonFooErrorWithDunderTypeUriAndNamespace":           codeForms,
}

// readAlike are JSON answers with nulls, or members that the shape does not have:
// they are compared by what a client reads.
var readAlike = map[string]string{
	"AwsJson10DeserializeAllowNulls":               "nulls",
	"AwsJson10DeserializeIgnoreType":               "__type",
	"AwsJson11DeserializeIgnoreType":               "__type",
	"AwsJson11StructuresDontDeserializeNullValues": "nulls",
	"RestJsonDeserializeIgnoreType":                "__type",
	"RestJsonDoesntDeserializeNullStructureValues": "nulls",
}

// otherStatus are faults whose model gives one status where the service has two:
// for the older query protocol and for the newer one.
var otherStatus = map[string]string{
	"QueryCompatibleAwsJson10CustomCodeError": "the status 402 of the model is the query protocol's",
	"QueryCompatibleRpcV2CborCustomCodeError": "the status 402 of the model is the query protocol's",
}

// otherHeaders are headers that the case has by mistake, or for a body that the
// server writes differently.
var otherHeaders = map[string]string{
	"AwsJson11IntEnums":              "X-Amz-Target",   // of requests
	"RpcV2CborPayloadWithUnsetUnion": "Content-Length", // an empty map takes two bytes
}
