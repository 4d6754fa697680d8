package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tierra-cloud/tierra/internal/data/lease"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
	"github.com/tierra-cloud/tierra/internal/server"
)

func envCommand() *cobra.Command {
	var data string
	var profile, secure bool
	c := &cobra.Command{
		Use: "env", Short: "Print the variables that point AWS tools at the server", Args: cobra.NoArgs,
		Long: "Print the root access key of the data folder and the server's address as shell variables. With --tls the address is https,\n" +
			"and AWS's tools, Python and Node.js are told to trust the data folder's certificate authority beside the machine's own roots.",
		Example: `  eval "$(tierra env)"; aws s3 ls`,
		RunE:    func(*cobra.Command, []string) error { return env(data, profile, secure) },
	}
	c.Flags().StringVar(&data, "data", "", dataHelp)
	c.Flags().BoolVar(&profile, "profile", false, "write the profile \"tierra\" into the AWS configuration instead of printing variables")
	c.Flags().BoolVar(&secure, "tls", false, "point tools at the server over TLS, which it speaks at the same port")
	return c
}

// env prints the variables, for eval "$(tierra env)".
func env(data string, profile, secure bool) error {
	f, err := openFolder(data)
	if err != nil {
		return err
	}
	s, err := f.ReadSecrets()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no server has been started with the data folder %s yet; start one with `tierra serve%s`", f.Dir, dataFlag(data))
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: the key is for the user who started the server; be that one, or have a server of your own with --data", err)
	}
	if err != nil {
		return err
	}
	endpoint := "http://127.0.0.1:4566"
	if h, ok := lease.Holder(f.Dir); ok && h.Address != "" {
		endpoint = h.Address
	} else {
		fmt.Fprintf(os.Stderr, "tierra: no server runs with this data folder now; it will be at %s unless --listen says otherwise\n", endpoint)
	}
	trust := ""
	if secure {
		if err := f.Publish(); err != nil {
			return err
		}
		endpoint = "https" + strings.TrimPrefix(endpoint, "http")
		trust = f.Trust()
	}
	if profile {
		return writeProfile(s, endpoint, trust)
	}
	fmt.Printf("export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_REGION=%s AWS_DEFAULT_REGION=%s AWS_ENDPOINT_URL=%s\n",
		s.AccessKey, s.Secret, s.Region, s.Region, endpoint)
	if trust != "" {
		fmt.Printf("export AWS_CA_BUNDLE=%s NODE_EXTRA_CA_CERTS=%s\n", quoted(filepath.Join(trust, authority.BundleFile)), quoted(filepath.Join(trust, authority.CertificateFile)))
	}
	fmt.Println("unset AWS_PROFILE AWS_SESSION_TOKEN")
	return nil
}

// quoted is a word of the shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// writeProfile puts a profile into the files that AWS tools read, leaving every
// other profile as it is. trust is the folder with what makes tools trust the
// server, or "".
func writeProfile(s *server.Secrets, endpoint, trust string) error {
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	at := func(variable, name string) string {
		if p := os.Getenv(variable); p != "" {
			return p
		}
		return filepath.Join(home, ".aws", name)
	}
	config, credentials := at("AWS_CONFIG_FILE", "config"), at("AWS_SHARED_CREDENTIALS_FILE", "credentials")
	settings := [][2]string{{"region", s.Region}, {"endpoint_url", endpoint}}
	if trust != "" {
		settings = append(settings, [2]string{"ca_bundle", filepath.Join(trust, authority.BundleFile)})
	}
	err = setSection(config, "profile tierra", settings)
	if err == nil {
		err = setSection(credentials, "tierra", [][2]string{{"aws_access_key_id", s.AccessKey}, {"aws_secret_access_key", s.Secret}})
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Wrote the profile \"tierra\" to %s and %s. Use it with --profile tierra or AWS_PROFILE=tierra.\n", config, credentials)
	return nil
}

// setSection replaces one section of an INI file, or appends it.
func setSection(path, name string, values [][2]string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b strings.Builder
	inside := false
	in := bufio.NewScanner(strings.NewReader(string(old)))
	for in.Scan() {
		line := in.Text()
		if t := strings.TrimSpace(line); strings.HasPrefix(t, "[") {
			inside = strings.TrimSpace(strings.Trim(t, "[]")) == name
		}
		if !inside {
			b.WriteString(line + "\n")
		}
	}
	if s := b.String(); s != "" && !strings.HasSuffix(s, "\n\n") {
		b.WriteByte('\n')
	}
	b.WriteString("[" + name + "]\n")
	for _, v := range values {
		b.WriteString(v[0] + " = " + v[1] + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return server.WriteDurably(path, []byte(b.String()))
}
