package sam

import "strings"

// managedPolicies maps the names of AWS's managed policies to their ARNs, of those
// that templates commonly name.
func managedPolicies(partition string) map[string]string {
	out := map[string]string{}
	for path, names := range map[string]string{
		"service-role/": "AWSLambdaBasicExecutionRole AWSLambdaVPCAccessExecutionRole AWSLambdaDynamoDBExecutionRole AWSLambdaKinesisExecutionRole " +
			"AWSLambdaSQSQueueExecutionRole AWSLambdaRole AmazonAPIGatewayPushToCloudWatchLogs",
		"": "AdministratorAccess PowerUserAccess ReadOnlyAccess AmazonDynamoDBFullAccess AmazonDynamoDBReadOnlyAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess " +
			"AmazonSQSFullAccess AmazonSQSReadOnlyAccess AmazonSNSFullAccess AmazonSNSReadOnlyAccess AmazonKinesisFullAccess AmazonKinesisReadOnlyAccess " +
			"CloudWatchFullAccess CloudWatchReadOnlyAccess CloudWatchLogsFullAccess CloudWatchLogsReadOnlyAccess AWSXrayWriteOnlyAccess AWSXRayDaemonWriteAccess " +
			"AWSLambda_FullAccess AWSLambda_ReadOnlyAccess AmazonSSMReadOnlyAccess AmazonSSMFullAccess SecretsManagerReadWrite AmazonEventBridgeFullAccess " +
			"AWSStepFunctionsFullAccess AWSStepFunctionsReadOnlyAccess AmazonCognitoReadOnly AmazonCognitoPowerUser AmazonAPIGatewayInvokeFullAccess " +
			"AmazonEC2ReadOnlyAccess AmazonVPCReadOnlyAccess IAMReadOnlyAccess CloudWatchLambdaInsightsExecutionRolePolicy",
	} {
		for _, n := range strings.Fields(names) {
			out[n] = "arn:" + partition + ":iam::aws:policy/" + path + n
		}
	}
	return out
}

// policyKind says what an entry of Policies is.
type policyKind uint8

const (
	unknownPolicy policyKind = iota
	managedPolicy
	policyDocument
	templatedPolicy
)

func (m *macro) policyKind(p any) policyKind {
	list, ok := branches(p)
	if f, isMap := p.(object); isMap && len(f) == 1 && !ok {
		if _, isIf := f["Fn::If"]; isIf {
			panic(Problem{Text: "Structure of the SAM template is invalid. Fn::If requires 3 arguments"})
		}
	}
	if ok {
		a, b := m.policyKind(list[1]), m.policyKind(list[2])
		switch {
		case a == b || isNoValue(list[2]):
			return a
		case isNoValue(list[1]):
			return b
		}
		panic(Problem{Text: "Structure of the SAM template is invalid. Different policy types within the same Fn::If statement is unsupported. Separate different policy types into different Fn::If statements"})
	}
	switch v := p.(type) {
	case string:
		return managedPolicy
	case object:
		if intrinsic(v) {
			return managedPolicy
		}
		if _, ok := v["Statement"]; ok {
			return policyDocument
		}
		if len(v) == 1 {
			if templateStatements(keys(v)[0]) != nil {
				return templatedPolicy
			}
		}
	}
	return unknownPolicy
}

// eachBranch applies f to a value, or to the branches of a Fn::If.
func eachBranch(v any, f func(any) any) any {
	list, ok := branches(v)
	if !ok {
		return f(v)
	}
	out := []any{list[0], list[1], list[2]}
	for i := 1; i < 3; i++ {
		if !isNoValue(out[i]) {
			out[i] = f(out[i])
		}
	}
	return object{"Fn::If": out}
}
