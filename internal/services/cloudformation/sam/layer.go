package sam

import (
	"fmt"
	"strings"
)

// layer is AWS::Serverless::LayerVersion. A layer's version cannot change, so its
// logical id carries a hash of its properties, and the old one is retained.
func (m *macro) layer() {
	for _, name := range []string{"LayerName", "LicenseInfo", "Description", "RetentionPolicy"} {
		if v := m.props[name]; v != nil {
			m.props[name] = m.t.resolve(v)
		}
	}
	attributes := m.passed()
	if _, has := attributes["DeletionPolicy"]; !has {
		attributes["DeletionPolicy"] = "Retain"
	}
	if v, has := m.props["RetentionPolicy"]; has && v != nil {
		text, _ := v.(string)
		switch strings.ToLower(text) {
		case "retain":
			attributes["DeletionPolicy"] = "Retain"
		case "delete":
			attributes["DeletionPolicy"] = "Delete"
		default:
			if intrinsic(v) {
				refuse(m.id, "'RetentionPolicy' does not accept intrinsic functions, please use one of the following options: ['Retain', 'Delete']")
			}
			refuse(m.id, "'RetentionPolicy' must be one of the following options: ['Retain', 'Delete'].")
		}
	}
	known := object{"Type": m.res["Type"], "Properties": m.props}
	for _, k := range []string{"DependsOn", "Condition", "UpdatePolicy"} {
		if v, ok := m.res[k]; ok {
			known[k] = v
		}
	}
	id := hashed(m.id, object{m.id: known})
	shown := func(property, format string, args ...any) { // AWS names the layer as it is to be called
		panic(Problem{ID: m.id, Shown: id, Text: fmt.Sprintf(format, args...), Path: []string{"Properties", property}})
	}
	content := m.s3LocationOf(id, m.props["ContentUri"], "ContentUri")
	if archs, ok := m.props["CompatibleArchitectures"].([]any); ok {
		for _, a := range archs {
			if !intrinsic(a) && a != "x86_64" && a != "arm64" {
				shown("CompatibleArchitectures", "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'")
			}
		}
	}
	name := m.props["LayerName"]
	if !truthy(name) {
		name = m.id
	}
	if d, ok := m.res["DependsOn"]; ok {
		attributes["DependsOn"] = d
	}
	m.add(id, "AWS::Lambda::LayerVersion", attributes, object{
		"LayerName": name, "Description": m.props["Description"], "Content": content,
		"CompatibleArchitectures": m.props["CompatibleArchitectures"], "CompatibleRuntimes": m.props["CompatibleRuntimes"], "LicenseInfo": m.props["LicenseInfo"],
	})
	m.t.moved[m.id] = id
}
