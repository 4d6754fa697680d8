package lambda

import (
	"archive/zip"
	"bytes"
	_ "embed" // the modules for inline code
	"fmt"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// Code in a template may use a module with which custom resources answer.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
var (
	//go:embed inline/cfn-response.js
	nodeResponse string
	//go:embed inline/cfnresponse.py
	pythonResponse string
)

// inlineName is the name of the file that inline code becomes.
func inlineName(runtime string) (string, error) {
	switch {
	case strings.HasPrefix(runtime, "nodejs"):
		return "index.js", nil
	case strings.HasPrefix(runtime, "python"):
		return "index.py", nil
	}
	return "", fmt.Errorf("inline code is for Node.js and Python only, not for %s", runtime)
}

// inline makes a package of inline code, with the module for custom resources if
// the code names it. The same code gives the same package.
func inline(runtime, code string) ([]byte, error) {
	name, err := inlineName(runtime)
	if err != nil {
		return nil, api.InvalidParameterValueException("ZipFile: %s", err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, text string) error {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o644)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		return err
	}
	err = add(name, code)
	switch {
	case err != nil:
	case name == "index.js" && strings.Contains(code, "cfn-response"):
		err = add("node_modules/cfn-response/index.js", nodeResponse)
	case name == "index.py" && strings.Contains(code, "cfnresponse"):
		err = add("cfnresponse.py", pythonResponse)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("make a package of inline code: %w", err)
	}
	return b.Bytes(), nil
}
