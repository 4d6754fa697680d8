// Package localstack reads what people give to containers of LocalStack, the
// variables of their environment and init hooks, so that Tierra's image takes the
// place of that one: https://docs.localstack.cloud/references/configuration/
package localstack

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Settings are what the variables ask for; zero values are not asked for.
type Settings struct {
	Listen   string   // GATEWAY_LISTEN, EDGE_PORT
	Persist  bool     // PERSISTENCE, DATA_DIR
	Log      string   // DEBUG, LS_LOG: a level
	Auth     string   // ENFORCE_IAM, IAM_SOFT_MODE: "enforce", "audit" or "off"
	Services []string // SERVICES
	// Unused are the variables that are there and mean nothing here.
	Unused []string
}

// meaningless are the variables that mean nothing to Tierra, and why.
var meaningless = map[string]string{
	"LOCALSTACK_HOST": "addresses are formed of the one that a caller used", "HOSTNAME_EXTERNAL": "addresses are formed of the one that a caller used",
	"LOCALSTACK_HOSTNAME": "addresses are formed of the one that a caller used", "USE_SSL": "the port speaks both HTTP and HTTPS",
	"DOCKER_HOST": "there is no container engine", "DOCKER_FLAGS": "there is no container engine", "MAIN_CONTAINER_NAME": "there is no container engine",
	"MAIN_DOCKER_NETWORK": "there is no container engine", "LAMBDA_EXECUTOR": "there is no container engine", "LAMBDA_RUNTIME_EXECUTOR": "there is no container engine",
	"LAMBDA_DOCKER_NETWORK": "there is no container engine", "LAMBDA_DOCKER_FLAGS": "there is no container engine", "LAMBDA_DOCKER_DNS": "there is no container engine",
	"LAMBDA_REMOVE_CONTAINERS": "there is no container engine", "LAMBDA_REMOTE_DOCKER": "there is no container engine", "LAMBDA_PREBUILD_IMAGES": "there is no container engine",
	"EAGER_SERVICE_LOADING": "all services are there from the start", "STRICT_SERVICE_LOADING": "all services are there from the start",
	"SKIP_SSL_CERT_DOWNLOAD": "nothing is downloaded", "DISABLE_EVENTS": "nothing is reported to anybody", "ACTIVATE_PRO": "there is no licence",
	"LOCALSTACK_AUTH_TOKEN": "there is no licence", "LOCALSTACK_API_KEY": "there is no licence",
}

// Why tells why a variable means nothing.
func Why(name string) string { return meaningless[name] }

// refused are the variables that ask for what is not there.
var refused = []string{
	"LAMBDA_RUNTIME_IMAGE_MAPPING", "LAMBDA_KEEPALIVE_MS", "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT", "LAMBDA_IGNORE_ARCHITECTURE", "LAMBDA_DISABLE_AWS_ENDPOINT_URL",
	"LAMBDA_LIMITS_CONCURRENT_EXECUTIONS", "BUCKET_MARKER_LOCAL", "EXTRA_CORS_ALLOWED_ORIGINS", "EXTRA_CORS_ALLOWED_HEADERS", "EXTRA_CORS_EXPOSE_HEADERS",
	"DISABLE_CORS_CHECKS", "DISABLE_CORS_HEADERS", "DISABLE_CUSTOM_CORS_S3", "DISABLE_CUSTOM_CORS_APIGATEWAY", "CUSTOM_SSL_CERT_PATH", "SNAPSHOT_SAVE_STRATEGY",
	"SNAPSHOT_LOAD_STRATEGY", "AUTO_LOAD_POD", "SQS_ENDPOINT_STRATEGY", "DYNAMODB_ERROR_PROBABILITY", "KINESIS_ERROR_PROBABILITY", "ALLOW_NONSTANDARD_REGIONS",
}

// Read reads the variables of an environment, KEY=VALUE; each may be there with the
// prefix LOCALSTACK_ as well. What asks for something that is not there is an error
// that names it.
func Read(environ []string) (Settings, error) {
	given := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		if _, is := meaningless[k]; !is {
			k = strings.TrimPrefix(k, "LOCALSTACK_")
		}
		given[k] = v
	}
	var s Settings
	for name := range meaningless {
		if _, ok := given[name]; ok {
			s.Unused = append(s.Unused, name)
		}
	}
	slices.Sort(s.Unused)
	for _, name := range refused {
		if v := given[name]; v != "" && v != "0" && v != "false" {
			return s, fmt.Errorf("the variable %s asks for what Tierra has not; unset it", name)
		}
	}
	on := func(name string) bool { return given[name] == "1" || strings.EqualFold(given[name], "true") }
	if v := given["GATEWAY_LISTEN"]; v != "" {
		if strings.Contains(v, ",") {
			return s, fmt.Errorf("GATEWAY_LISTEN=%s: Tierra listens at one address, for HTTP and HTTPS both", v)
		}
		if !strings.Contains(v, ":") {
			v += ":4566"
		}
		if _, _, err := net.SplitHostPort(v); err != nil {
			return s, fmt.Errorf("GATEWAY_LISTEN=%s: %w", v, err)
		}
		s.Listen = v
	} else if v := given["EDGE_PORT"]; v != "" {
		s.Listen = "0.0.0.0:" + v
	}
	s.Persist = on("PERSISTENCE") || given["DATA_DIR"] != ""
	if on("DEBUG") {
		s.Log = "debug"
	}
	if v := given["LS_LOG"]; v != "" {
		level, ok := map[string]string{"trace": "debug", "trace-internal": "debug", "debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}[strings.ToLower(v)]
		if !ok {
			return s, fmt.Errorf("LS_LOG=%s is not one of trace, debug, info, warn, error", v)
		}
		s.Log = level
	}
	switch v, asked := given["ENFORCE_IAM"]; {
	case on("IAM_SOFT_MODE"):
		s.Auth = "audit"
	case on("ENFORCE_IAM"):
		s.Auth = "enforce"
	case asked && (v == "0" || strings.EqualFold(v, "false")):
		s.Auth = "off"
	}
	for name := range strings.SplitSeq(given["SERVICES"], ",") {
		name, _, _ = strings.Cut(strings.TrimSpace(name), ":") // older files have ports
		if name != "" {
			s.Services = append(s.Services, name)
		}
	}
	return s, nil
}
