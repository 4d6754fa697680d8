package model

// extraProtocols are spoken by older clients of services whose model names only
// the newer protocol.
var extraProtocols = map[string][]Protocol{"SQS": {Query}, "CloudWatch": {JSON, Query}}

// queryForm is how a service looked in the query protocol before its model left
// that protocol: what the model no longer says and older clients still write.
type queryForm struct {
	namespace string
	// members are names by structure and member; a structure of "" stands for all.
	members map[[2]string]string
	// maps are the names of keys and values, by map.
	maps map[string][2]string
	// errors are codes by error shape, where they differ from its name.
	errors map[string]string
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html
var queryForms = map[string]queryForm{"SQS": {
	namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
	members: map[[2]string]string{
		{"", "AWSAccountIds"}:               "AWSAccountId",
		{"", "Actions"}:                     "ActionName",
		{"", "AttributeNames"}:              "AttributeName",
		{"", "Attributes"}:                  "Attribute",
		{"", "BinaryListValues"}:            "BinaryListValue",
		{"", "Failed"}:                      "BatchResultErrorEntry",
		{"", "MessageAttributeNames"}:       "MessageAttributeName",
		{"", "MessageAttributes"}:           "MessageAttribute",
		{"", "MessageSystemAttributeNames"}: "MessageSystemAttributeName",
		{"", "MessageSystemAttributes"}:     "MessageSystemAttribute",
		{"", "Messages"}:                    "Message",
		{"", "QueueUrls"}:                   "QueueUrl",
		{"", "Results"}:                     "ListMessageMoveTasksResultEntry",
		{"", "StringListValues"}:            "StringListValue",
		{"", "TagKeys"}:                     "TagKey",
		{"", "Tags"}:                        "Tag",
		{"", "queueUrls"}:                   "QueueUrl",
		{"", "tags"}:                        "Tag",

		{"ChangeMessageVisibilityBatchRequest", "Entries"}:   "ChangeMessageVisibilityBatchRequestEntry",
		{"ChangeMessageVisibilityBatchResult", "Successful"}: "ChangeMessageVisibilityBatchResultEntry",
		{"DeleteMessageBatchRequest", "Entries"}:             "DeleteMessageBatchRequestEntry",
		{"DeleteMessageBatchResult", "Successful"}:           "DeleteMessageBatchResultEntry",
		{"SendMessageBatchRequest", "Entries"}:               "SendMessageBatchRequestEntry",
		{"SendMessageBatchResult", "Successful"}:             "SendMessageBatchResultEntry",
	},
	maps: map[string][2]string{
		"MessageBodyAttributeMap":       {"Name", "Value"},
		"MessageBodySystemAttributeMap": {"Name", "Value"},
		"MessageSystemAttributeMap":     {"Name", "Value"},
		"QueueAttributeMap":             {"Name", "Value"},
		"TagMap":                        {"Key", "Value"},
	},
	errors: map[string]string{
		"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
		"BatchRequestTooLong":          "AWS.SimpleQueueService.BatchRequestTooLong",
		"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",
		"InvalidBatchEntryId":          "AWS.SimpleQueueService.InvalidBatchEntryId",
		"KmsAccessDenied":              "KMS.AccessDeniedException",
		"KmsDisabled":                  "KMS.DisabledException",
		"KmsInvalidKeyUsage":           "KMS.InvalidKeyUsageException",
		"KmsInvalidState":              "KMS.InvalidStateException",
		"KmsNotFound":                  "KMS.NotFoundException",
		"KmsOptInRequired":             "KMS.OptInRequired",
		"KmsThrottled":                 "KMS.ThrottlingException",
		"MessageNotInflight":           "AWS.SimpleQueueService.MessageNotInflight",
		"PurgeQueueInProgress":         "AWS.SimpleQueueService.PurgeQueueInProgress",
		"QueueDeletedRecently":         "AWS.SimpleQueueService.QueueDeletedRecently",
		"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
		"QueueNameExists":              "QueueAlreadyExists",
		"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
		"UnsupportedOperation":         "AWS.SimpleQueueService.UnsupportedOperation",
	},
}}

// older adds to a loaded model what its older clients know.
func (s *Service) older() {
	f, ok := queryForms[s.ID]
	if !ok {
		return
	}
	if s.XMLNamespace == "" {
		s.XMLNamespace = f.namespace
	}
	for i := range s.Shapes {
		sh := &s.Shapes[i]
		if names, ok := f.maps[sh.Name]; ok {
			sh.KeyName, sh.ElemName = names[0], names[1]
		}
		if code := f.errors[sh.Name]; code != "" && sh.Error != nil {
			sh.Error.QueryCode = code
		}
		for j := range sh.Members {
			m := &sh.Members[j]
			name, ok := f.members[[2]string{sh.Name, m.Name}]
			if !ok {
				name, ok = f.members[[2]string{"", m.Name}]
			}
			if ok && m.QueryName == "" {
				m.QueryName = name
			}
		}
	}
}
