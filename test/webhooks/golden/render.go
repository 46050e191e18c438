// Renders each template of templates.json with each event of events.json by Go's own html/template into results.json.
// With the path of a file as argument, only this template, into default.json.
package main

import (
	"bytes"
	"encoding/json"
	"html/template"
	"os"
	"time"
)

type Event string

type Message struct {
	Type      Event
	Meta      any
	TimeStamp string
}

type EventMetaDefault struct {
	Message            string
	OriginatingRequest string
}

type EventKeyFailureMeta struct {
	EventMetaDefault
	Path, Origin, Key string
}

type EventVersionFailureMeta struct {
	EventMetaDefault
	Path, Origin, Key, Reason string
}

type BreakerEvent int

type EventCurcuitBreakerMeta struct {
	EventMetaDefault
	Path, APIID  string
	CircuitEvent BreakerEvent
}

type CheckCommand struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

type HostData struct {
	CheckURL, Protocol  string
	Timeout             time.Duration
	EnableProxyProtocol bool
	Commands            []CheckCommand
	Method              string
	Headers             map[string]string
	Body                string
	MetaData            map[string]string
}

type HostHealthReport struct {
	HostData
	ResponseCode int
	Latency      float64
	IsTCPError   bool
}

type EventHostStatusMeta struct {
	EventMetaDefault
	HostInfo HostHealthReport
}

type EventCertificateExpiringSoonMeta struct {
	EventMetaDefault
	CertID        string    `json:"cert_id"`
	CertName      string    `json:"cert_name"`
	ExpiresAt     time.Time `json:"expires_at"`
	DaysRemaining int       `json:"days_remaining"`
	APIID         string    `json:"api_id,omitempty"`
	CertRole      string    `json:"cert_role"`
}

type EventCertificateExpiredMeta struct {
	EventMetaDefault
	CertID          string    `json:"cert_id"`
	CertName        string    `json:"cert_name"`
	ExpiredAt       time.Time `json:"expired_at"`
	DaysSinceExpiry int       `json:"days_since_expiry"`
	APIID           string    `json:"api_id,omitempty"`
	CertRole        string    `json:"cert_role"`
}

type EventUpstreamOAuthMeta struct {
	EventMetaDefault
	APIID string
}

type EventTriggerExceededMeta struct {
	EventMetaDefault
	OrgID           string `json:"org_id"`
	Key             string `json:"key"`
	TriggerLimit    int64  `json:"trigger_limit"`
	UsagePercentage int64  `json:"usage_percentage"`
}

type EventTokenMeta struct {
	EventMetaDefault
	Org, Key string
}

func decoded[T any](text json.RawMessage) any {
	var meta T
	if err := json.Unmarshal(text, &meta); err != nil {
		panic(err)
	}
	return meta
}

// A map in the gateway too; there its lists are lists of strings.
func decodedMap(text json.RawMessage) any {
	meta := decoded[map[string]any](text).(map[string]any)
	var lists struct {
		Granted      []string   `json:"granted_scopes"`
		Required     []string   `json:"required_scopes"`
		Alternatives [][]string `json:"required_alternatives"`
		Requested    []string   `json:"oauth2_scopes_requested"`
	}
	if err := json.Unmarshal(text, &lists); err != nil {
		return meta
	}
	for name, list := range map[string]any{
		"granted_scopes":          lists.Granted,
		"required_scopes":         lists.Required,
		"required_alternatives":   lists.Alternatives,
		"oauth2_scopes_requested": lists.Requested,
	} {
		if _, ok := meta[name]; ok {
			meta[name] = list
		}
	}
	return meta
}

var metas = map[Event]func(json.RawMessage) any{
	"VersionFailure":          decoded[EventVersionFailureMeta],
	"BreakerTriggered":        decoded[EventCurcuitBreakerMeta],
	"BreakerTripped":          decoded[EventCurcuitBreakerMeta],
	"BreakerReset":            decoded[EventCurcuitBreakerMeta],
	"HostDown":                decoded[EventHostStatusMeta],
	"HostUp":                  decoded[EventHostStatusMeta],
	"CertificateExpiringSoon": decoded[EventCertificateExpiringSoonMeta],
	"CertificateExpired":      decoded[EventCertificateExpiredMeta],
	"UpstreamOAuthError":      decoded[EventUpstreamOAuthMeta],
	"TriggerExceeded":         decoded[EventTriggerExceededMeta],
	"TokenCreated":            decoded[EventTokenMeta],
	"TokenUpdated":            decoded[EventTokenMeta],
	"TokenDeleted":            decoded[EventTokenMeta],
}

func init() {
	for _, name := range []Event{"AuthFailure", "KeyExpired", "QuotaExceeded", "RatelimitExceeded",
		"RateLimitSmoothingUp", "RateLimitSmoothingDown", "OrgQuotaExceeded", "OrgRateLimitExceeded"} {
		metas[name] = decoded[EventKeyFailureMeta]
	}
}

var functions = template.FuncMap{
	"as_rfc3339": func(t time.Time) string { return t.Format(time.RFC3339) },
	"as_rfc3339_from_string": func(s string) string {
		if t, err := time.Parse("2006-01-02 15:04:05.999999 -0700 MST", s); err == nil {
			return t.Format(time.RFC3339)
		}
		return s
	},
}

type named struct {
	Name  string          `json:"name"`
	Text  string          `json:"text"`
	Event json.RawMessage `json:"event"`
}

// The text, or null for an error: its words are not ours.
func render(text string, event json.RawMessage) *string {
	var given struct {
		Type      Event
		Meta      json.RawMessage
		TimeStamp string
	}
	if err := json.Unmarshal(event, &given); err != nil {
		panic(err)
	}
	meta := metas[given.Type]
	if meta == nil {
		meta = decodedMap
	}
	parsed, err := template.New("t").Funcs(functions).Parse(text)
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	if parsed.Execute(&out, Message{given.Type, meta(given.Meta), given.TimeStamp}) != nil {
		return nil
	}
	made := out.String()
	return &made
}

func read(file string) (list []named) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		panic(err)
	}
	return list
}

func main() {
	templates, target := read("templates.json"), "results.json"
	if len(os.Args) > 1 {
		text, err := os.ReadFile(os.Args[1])
		if err != nil {
			panic(err)
		}
		templates, target = []named{{Name: "default", Text: string(text)}}, "default.json"
	}
	events := read("events.json")
	results := map[string]map[string]*string{}
	for _, t := range templates {
		results[t.Name] = map[string]*string{}
		for _, e := range events {
			results[t.Name][e.Name] = render(t.Text, e.Event)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(results); err != nil {
		panic(err)
	}
	if err := os.WriteFile(target, out.Bytes(), 0o644); err != nil {
		panic(err)
	}
}
