package codedeploy

import (
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
)

// version is the version of the records' form.
const version = 1

// scope is where something lives: its account and region.
type scope struct{ Account, Region string }

func (sc scope) key(parts ...string) []byte {
	return data.Key(append([]string{"codedeploy", sc.Account, sc.Region}, parts...)...)
}

func (sc scope) applicationKey(name string) []byte     { return sc.key("application", name) }
func (sc scope) groupKey(application, g string) []byte { return sc.key("group", application, g) }
func (sc scope) configKey(name string) []byte          { return sc.key("config", name) }
func (sc scope) deploymentKey(id string) []byte        { return sc.key("deployment", id) }

// activeKey names the deployment of a group that is under way.
func (sc scope) activeKey(application, g string) []byte { return sc.key("active", application, g) }

// runningKey marks a deployment that is under way. It stands outside the accounts,
// so that a start finds them all.
func (sc scope) runningKey(id string) []byte {
	return data.Key("codedeploy:running", sc.Account, sc.Region, id)
}

func runningPrefix() []byte { return data.Key("codedeploy:running") }

type applicationRecord struct {
	V        int `json:"v"`
	ID, Name string
	Created  time.Time
	Tags     map[string]string `json:",omitempty"`
}

type groupRecord struct {
	V                 int `json:"v"`
	ID                string
	Application, Name string
	Config, Role      string
	Rollback          *rollbackRecord   `json:",omitempty"`
	Tags              map[string]string `json:",omitempty"`
	// Attempted and Succeeded are the latest deployments, by id.
	Attempted, Succeeded string `json:",omitempty"`
}

// rollbackRecord says after what a group's deployments are rolled back.
type rollbackRecord struct {
	Enabled bool
	Events  []string
}

// configRecord is a deployment configuration.
type configRecord struct {
	V        int `json:"v"`
	ID, Name string
	Created  time.Time
	shifting
}

// deploymentRecord is a deployment.
type deploymentRecord struct {
	V int `json:"v"`
	scope
	ID                 string
	Application, Group string
	Config             string
	Shift              shifting
	Role               string
	Creator            string
	Description        string `json:",omitempty"`
	Revision           *api.RevisionLocation
	Spec               appSpec
	Rollback           *rollbackRecord `json:",omitempty"`
	Status             string
	Code, Message      string `json:",omitempty"` // of its failure
	Created            time.Time
	Started, Completed time.Time `json:",omitzero"`
	// Events are the lifecycle events; the phase is the first that has not ended.
	Events []eventRecord
	// Weight is how much of the traffic goes to the new version, in percent; Next
	// is when it gets more.
	Weight int
	Next   time.Time `json:",omitzero"`
	Hook   hookRecord
	// Stopped says that StopDeployment came, with what it said of a rollback.
	Stopped      bool  `json:",omitempty"`
	StopRollback *bool `json:",omitempty"`
	// RolledBackBy is the deployment that took this one back; RollbackOf is the one
	// that this one takes back.
	RolledBackBy, RollbackOf string `json:",omitempty"`
}

type eventRecord struct {
	Name, Status string
	Start, End   time.Time `json:",omitzero"`
	Code         string    `json:",omitempty"`
	Message      string    `json:",omitempty"`
}

// hookRecord is a hook that was asked.
type hookRecord struct {
	ID       string    `json:",omitempty"`
	Asked    bool      `json:",omitempty"`
	Deadline time.Time `json:",omitzero"`
	Answer   string    `json:",omitempty"` // Succeeded or Failed
}
