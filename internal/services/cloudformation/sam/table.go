package sam

// table is AWS::Serverless::SimpleTable.
func (m *macro) table() {
	key := object{"AttributeName": "id", "AttributeType": "S"}
	if pk, ok := m.props["PrimaryKey"].(object); ok && len(pk) > 0 {
		for _, name := range []string{"Name", "Type"} {
			if pk[name] == nil {
				refuseProperty(m.id, "PrimaryKey", "Property 'PrimaryKey.%s' is required.", name)
			}
		}
		kind, ok := map[any]string{"String": "S", "Number": "N", "Binary": "B"}[scalar(pk["Type"])]
		if !ok {
			refuseProperty(m.id, "PrimaryKey", "Invalid 'Type' %q.", plain(pk["Type"]))
		}
		key = object{"AttributeName": pk["Name"], "AttributeType": kind}
	}
	props := object{
		"AttributeDefinitions": []any{key}, "KeySchema": []any{object{"AttributeName": key["AttributeName"], "KeyType": "HASH"}},
		"PointInTimeRecoverySpecification": or(m.props["PointInTimeRecoverySpecification"]),
		"ProvisionedThroughput":            or(m.props["ProvisionedThroughput"]),
		"SSESpecification":                 or(m.props["SSESpecification"]), "TableName": or(m.props["TableName"]),
	}
	if props["ProvisionedThroughput"] == nil {
		props["BillingMode"] = "PAY_PER_REQUEST"
	}
	if tags, ok := m.props["Tags"].(object); ok && len(tags) > 0 {
		props["Tags"] = tagList(tags)
	}
	m.add(m.id, "AWS::DynamoDB::Table", m.own(), props)
}

// scalar keeps what can be a map's key.
func scalar(v any) any {
	switch v.(type) {
	case object, []any:
		return nil
	}
	return v
}
