package rpc_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/mailintake/mailintake/control/rpc"
)

// web is a bench with its gateway.
func web(t *testing.T, change ...func(*rpc.Config)) (*bench, *rpc.Gateway) {
	t.Helper()
	b := setup(t, change...)
	g, err := rpc.NewGateway(t.Context(), b.srv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, g
}

// do makes a request; head are header names and values.
func do(g http.Handler, method, path, body string, head ...string) (int, map[string]any) {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, "http://localhost:7480"+path, r)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, req)
	var out map[string]any
	// Of a stream the first response counts. An answer that is not JSON has none of the fields that tests look for.
	_ = json.NewDecoder(w.Body).Decode(&out)
	return w.Code, out
}

const body = `{"displayName":"Support","emailAddress":"support@example.com","enabled":true,"protocol":"IMAPS","host":"mail.example.com","username":"u","password":"pw","labels":{"a":"1","b":"2"}}`

func TestGateway(t *testing.T) {
	t.Parallel()
	b, g := web(t)
	const channels = "/v1/tenants/acme/emailChannels"
	code, got := do(g, "POST", channels+"?emailChannelId=support", body)
	if code != 200 || got["name"] != "tenants/acme/emailChannels/support" || got["pollInterval"] != "60s" || got["passwordSet"] != true || got["password"] != nil {
		t.Fatalf("create: %d %v", code, got)
	}
	if code, got = do(g, "GET", channels+"/support", ""); code != 200 || got["state"] != "PENDING" {
		t.Errorf("get: %d %v", code, got)
	}
	// A PATCH without a mask changes what its body names, false values too.
	if code, got = do(g, "PATCH", channels+"/support", `{"enabled":false,"labels":{"a":"3"},"tls":{"serverName":"x.example"}}`); code != 200 || got["enabled"] != nil ||
		got["displayName"] != "Support" || got["tls"].(map[string]any)["serverName"] != "x.example" || got["labels"].(map[string]any)["a"] != "3" {
		t.Errorf("patch: %d %v", code, got)
	}
	if b.store.secrets[1].Reveal() != "pw" {
		t.Error("the patch changed the password")
	}
	if code, got = do(g, "PATCH", channels+"/support?updateMask=script", `{"script":"s","host":"other.example"}`); code != 200 || got["script"] != "s" || got["host"] != "mail.example.com" {
		t.Errorf("patch with mask: %d %v", code, got)
	}
	// What was read can be sent back as it is.
	_, got = do(g, "GET", channels+"/support", "")
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if code, got = do(g, "PATCH", channels+"/support", string(raw)); code != 200 {
		t.Errorf("patch with what was read: %d %v", code, got)
	}
	if code, got = do(g, "GET", channels+"?filter=failed&pageSize=5", ""); code != 200 || got["emailChannels"] != nil {
		t.Errorf("list: %d %v", code, got)
	}
	if code, got = do(g, "POST", channels+":test", `{"name":"tenants/acme/emailChannels/support"}`); code != 200 || got["ok"] != true {
		t.Errorf("test: %d %v", code, got)
	}
	b.deliver(1, []byte("raw octets"))
	if code, got = do(g, "GET", "/v1/"+b.store.messages[0].Name()+":readRaw", ""); code != 200 || got["result"].(map[string]any)["data"] != "cmF3IG9jdGV0cw==" {
		t.Errorf("read raw: %d %v", code, got)
	}
	if code, got = do(g, "GET", channels+"/support/messages?view=MESSAGE_VIEW_TEXT", ""); code != 200 || got["messages"].([]any)[0].(map[string]any)["text"] != "Hello\nthere" {
		t.Errorf("messages: %d %v", code, got)
	}
	if code, got = do(g, "GET", channels+"/support/messages?view=MESSAGE_VIEW_FULL", ""); code != 400 {
		t.Errorf("full list: %d %v", code, got)
	}
	if code, got = do(g, "GET", "/v1/"+b.store.messages[0].Name()+"?view=MESSAGE_VIEW_FULL&allowRemoteContent=true", ""); code != 200 || got["html"] != "<b>raw octets</b>" || got["messageClass"] != "HUMAN" {
		t.Errorf("full view: %d %v", code, got)
	}
	b.store.messages[0].Mail.Parts[0].SHA256, b.store.messages[0].Mail.Parts[0].Size = hash("raw octets"), 10
	if code, got = do(g, "GET", "/v1/"+b.store.messages[0].Name()+":readAttachment?contentId=id", ""); code != 200 || got["result"].(map[string]any)["safeFilename"] != "f" {
		t.Errorf("attachment: %d %v", code, got)
	}
	if code, got = do(g, "GET", "/v1/"+b.store.messages[0].Name()+":readAttachment?part=7", ""); code != 404 {
		t.Errorf("no attachment: %d %v", code, got)
	}
	if code, got = do(g, "GET", channels+"/support/messages?filter=message_class%20%3D%20%22BOUNCE%22", ""); code != 200 || got["messages"] != nil {
		t.Errorf("bounces: %d %v", code, got)
	}
	if code, got = do(g, "POST", "/v1/tenants/acme/replays", `{"emailChannel":"tenants/acme/emailChannels/support","kind":"PARSE","dryRun":true,"range":{"firstSequence":"1"}}`); code != 200 || got["kind"] != "PARSE" {
		t.Errorf("parse replay: %d %v", code, got)
	}
	if code, got = do(g, "POST", "/v1/tenants/acme/replays", `{"emailChannel":"tenants/acme/emailChannels/support","kind":"EVENTS","range":{"firstSequence":"1"}}`); code != 200 {
		t.Errorf("replay: %d %v", code, got)
	}
	if code, got = do(g, "POST", "/v1/"+got["name"].(string)+":cancel", "{}"); code != 200 || got["state"] != "CANCELLED" {
		t.Errorf("cancel: %d %v", code, got)
	}
	if code, got = do(g, "DELETE", channels+"/support", ""); code != 200 || got["deleteTime"] == nil {
		t.Errorf("delete: %d %v", code, got)
	}
	if code, got = do(g, "POST", channels+"/support:undelete", "{}"); code != 200 || got["deleteTime"] != nil {
		t.Errorf("undelete: %d %v", code, got)
	}
}

func TestGatewayRefuses(t *testing.T) {
	t.Parallel()
	_, g := web(t)
	const channels = "/v1/tenants/acme/emailChannels"
	for _, tt := range []struct {
		name, method, path, body string
		head                     []string
		code                     int
	}{
		{"unknown field", "POST", channels + "?emailChannelId=x", strings.Replace(body, "host", "hots", 1), nil, 400},
		{"unknown nested field", "POST", channels + "?emailChannelId=x", strings.Replace(body, `{`, `{"tls":{"x":1},`, 1), nil, 400},
		{"unknown query parameter", "GET", channels + "?pagesize=5", "", nil, 400},
		{"unknown enum", "POST", channels + "?emailChannelId=x", strings.Replace(body, "IMAPS", "EWS", 1), nil, 400},
		{"bad host", "POST", channels + "?emailChannelId=x", strings.Replace(body, "mail.example.com", "http://x", 1), nil, 400},
		{"not JSON", "POST", channels + "?emailChannelId=x", "hello", nil, 400},
		{"form", "POST", channels + "?emailChannelId=x", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"text", "POST", channels + ":test", body, []string{"Content-Type", "text/plain"}, 415},
		{"other site", "POST", channels + "?emailChannelId=x", body, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"other origin", "POST", channels + "?emailChannelId=x", body, []string{"Origin", "https://evil.example"}, 403},
		{"too large", "POST", channels + "?emailChannelId=x", `{"description":"` + strings.Repeat("x", 5<<20) + `"}`, nil, 400},
		{"unknown name", "GET", channels + "/x", "", nil, 404},
		{"malformed name", "GET", channels + "/X", "", nil, 400},
		{"unknown path", "GET", "/v1/else", "", nil, 404},
	} {
		code, got := do(g, tt.method, tt.path, tt.body, tt.head...)
		if code != tt.code {
			t.Errorf("%s: got %d, want %d: %v", tt.name, code, tt.code, got)
		}
	}
	_, got := do(g, "POST", channels+"?emailChannelId=x", strings.Replace(body, "mail.example.com", "http://x", 1))
	details, _ := json.Marshal(got["details"])
	if !strings.Contains(string(details), `"field":"email_channel.host"`) || !strings.Contains(string(details), `"domain":"mailintake"`) {
		t.Errorf("details of a violation: %s", details)
	}
}

func TestGatewayAuthenticates(t *testing.T) {
	t.Parallel()
	auth, err := rpc.StaticTokens([]string{hash("tok")})
	if err != nil {
		t.Fatal(err)
	}
	_, g := web(t, func(c *rpc.Config) { c.Authenticator = auth })
	for token, want := range map[string]int{"": 401, "Bearer nope": 401, "Bearer tok": 200} {
		if code, got := do(g, "GET", "/v1/tenants/acme/emailChannels", "", "Authorization", token); code != want {
			t.Errorf("%q: got %d, want %d: %v", token, code, want, got)
		}
	}
	// Metadata that a client smuggles in is not taken.
	if code, _ := do(g, "GET", "/v1/tenants/acme/emailChannels", "", "Grpc-Metadata-Authorization", "Bearer tok"); code != 401 {
		t.Errorf("got %d, want 401", code)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	auth, err := rpc.StaticTokens([]string{hash("tok")})
	if err != nil {
		t.Fatal(err)
	}
	change := make(chan bool, 1) // holds the present health
	change <- true
	done := make(chan struct{})
	b := setup(t, func(c *rpc.Config) {
		c.Authenticator, c.Done = auth, done // health needs no token
		c.Health = func(service string) bool {
			ok := <-change
			change <- ok
			return ok || service == "mailintake.v1.MessageService"
		}
	})
	client := grpc_health_v1.NewHealthClient(b.conn)
	check := func(service string) string {
		r, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			return status.Code(err).String()
		}
		return r.GetStatus().String()
	}
	for service, want := range map[string]string{"": "SERVING", "mailintake.v1.EmailChannelService": "SERVING", "mailintake.v1.ReplayService": "SERVING", "other": "NotFound"} {
		if got := check(service); got != want {
			t.Errorf("%q: got %s, want %s", service, got, want)
		}
	}
	watch, err := client.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("watch: %v, %v", r, err)
	}
	<-change
	change <- false
	if r, err := watch.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("watch: %v, %v", r, err)
	}
	if got := check("mailintake.v1.MessageService"); got != "SERVING" {
		t.Errorf("got %s", got)
	}
	if r, err := client.List(t.Context(), &grpc_health_v1.HealthListRequest{}); err != nil || len(r.GetStatuses()) != 4 {
		t.Errorf("list: %v, %v", r, err)
	}
	close(done)
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("watch at the end: %v", err)
	}
	b.srv.GracefulStop() // returns since nothing is left open
}

func TestReflection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(b.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range r.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if got := strings.Join(names, " "); got != "grpc.health.v1.Health grpc.reflection.v1.ServerReflection grpc.reflection.v1alpha.ServerReflection "+
		"mailintake.v1.EmailChannelService mailintake.v1.MessageService mailintake.v1.ReplayService" {
		t.Errorf("got %s", got)
	}
}
