package rules

// Table says what the tree may look like.
type Table struct {
	Packages  map[string]Row      // by path below the module
	Libraries map[string][]string // import path prefix -> packages that may import it; nil: test files alone
	// InTests are further packages whose test files may import a library, by the same prefixes.
	InTests map[string][]string
}

// Row is the place of one package.
type Row struct {
	// Floor is 1 to 4. A package imports from the floors below its own. Help (0) is for what only cmd and tests use.
	Floor int
	// Beside are packages of the same floor that it may import as well.
	Beside []string
	// Only, if not nil, are the packages of floor 2 and up that it may import; floor 1 is open to it.
	Only []string
	// Std allows the standard library alone.
	Std bool
	// Pure allows neither files nor network nor goroutines.
	Pure bool
	// TestsAlone: no file but a test imports it, not even in cmd.
	TestsAlone bool
}

// Help is the floor of packages that serve cmd and tests and that no other package may import.
const Help = 0

// House is the table of this project.
func House() Table {
	return Table{
		Packages: map[string]Row{
			"cmd/mailintake": {Floor: 4},

			"ingest/poll":     {Floor: 3, Only: []string{"ingest/mime", "ingest/spool"}},
			"control/rpc":     {Floor: 3, Only: []string{"control"}},
			"control/console": {Floor: 3, Only: []string{"control"}},

			"ingest/imap":  {Floor: 2},
			"ingest/pop3":  {Floor: 2},
			"ingest/spool": {Floor: 2},
			"ingest/mime":  {Floor: 2, Pure: true},
			"ingest/relay": {Floor: 2},
			"control":      {Floor: 2},
			// The one neighbour that is known: store implements control.Store with the types that control declares.
			"store": {Floor: 2, Beside: []string{"control"}},

			"ingest":              {Floor: 1, Std: true, Pure: true},
			"ingest/auth":         {Floor: 1, Beside: []string{"ingest"}},
			"ingest/calendar":     {Floor: 1, Beside: []string{"ingest"}, Pure: true},
			"ingest/class":        {Floor: 1, Beside: []string{"ingest"}, Pure: true},
			"ingest/contract":     {Floor: 1, Beside: []string{"ingest", "proto/mailintake/v1"}, Pure: true},
			"ingest/dial":         {Floor: 1, Beside: []string{"ingest"}},
			"ingest/html":         {Floor: 1, Beside: []string{"ingest"}, Pure: true},
			"ingest/language":     {Floor: 1, Beside: []string{"ingest"}, Pure: true},
			"ingest/reply":        {Floor: 1, Beside: []string{"ingest", "ingest/html"}, Pure: true},
			"ingest/tnef":         {Floor: 1, Beside: []string{"ingest"}, Pure: true},
			"store/seal":          {Floor: 1, Beside: []string{"ingest"}},
			"migrations":          {Floor: 1, Std: true},
			"proto/mailintake/v1": {Floor: 1},

			"internal/embedded": {Floor: Help},
			"internal/mailtest": {Floor: Help},
			"internal/bench":    {Floor: Help},
			"internal/rules":    {Floor: Help, TestsAlone: true},
			"store/storetest":   {Floor: Help, TestsAlone: true},
		},
		// A heavy library has one owner: when it must be replaced or fenced, one package changes.
		Libraries: map[string][]string{
			"github.com/jackc/pgx":           {"store", "store/storetest", "internal/embedded"},
			"github.com/pressly/goose":       {"store"},
			"github.com/riverqueue/river":    {"store"},
			"github.com/tink-crypto/tink-go": {"store/seal", "store/storetest"},
			// cmd holds the connection that relay.Dial gives, and closes it last.
			"github.com/nats-io/nats.go":     {"ingest/relay", "internal/embedded", "cmd/mailintake"},
			"github.com/nats-io/nats-server": {"internal/embedded"},
			"github.com/emersion/go-imap":    {"ingest/imap", "internal/mailtest"},
			"github.com/knadh/go-pop3":       {"ingest/pop3"},
			// The memory server of go-imap wants header fields in its terms.
			"github.com/emersion/go-message":         {"ingest/mime", "internal/mailtest"},
			"github.com/emersion/go-msgauth":         {"ingest/auth"},
			"github.com/emersion/go-sasl":            {"ingest/dial", "ingest/imap", "ingest/pop3"},
			"google.golang.org/grpc":                 {"control/rpc", "proto/mailintake/v1", "cmd/mailintake", "internal/bench"},
			"google.golang.org/genproto":             {"control/rpc", "proto/mailintake/v1", "cmd/mailintake"},
			"google.golang.org/protobuf":             {"control/rpc", "proto/mailintake/v1", "ingest/contract", "ingest/relay", "cmd/mailintake"},
			"github.com/grpc-ecosystem/grpc-gateway": {"control/rpc", "proto/mailintake/v1"},
			"buf.build/go/protovalidate":             {"control/rpc"},
			"buf.build/gen/go/bufbuild":              {"control/rpc", "proto/mailintake/v1"},
			"github.com/alecthomas/kong":             {"cmd/mailintake"},
			"github.com/prometheus/client_golang":    {"cmd/mailintake", "control", "control/rpc", "ingest/poll", "ingest/relay", "store"},
			"github.com/google/uuid":                 {"cmd/mailintake", "control", "control/rpc", "store"},
			// The one library that says what HTML is harmless.
			"github.com/microcosm-cc/bluemonday": {"ingest/html"},
			// The tokenizer; ingest/html holds its own reading against this parser in tests.
			"golang.org/x/net/html":         {"ingest/html", "ingest/reply"},
			"golang.org/x/net/idna":         {"control", "ingest/auth", "ingest/dial", "ingest/mime"},
			"golang.org/x/net/publicsuffix": {"ingest/auth"},
			"golang.org/x/sync":             {"cmd/mailintake", "ingest/poll", "ingest/relay", "internal/bench"},
			"golang.org/x/text":             {"ingest/dial", "ingest/imap", "ingest/language", "ingest/mime", "ingest/tnef"},

			"github.com/google/go-cmp":    nil,
			"github.com/jhillyerd/enmime": nil, // Parse is measured beside it
			"go.uber.org/goleak":          nil,
			"pgregory.net/rapid":          nil,
		},
		InTests: map[string][]string{
			// The relay's tests set limits of the server that it talks to, and hook into it.
			"github.com/nats-io/nats-server": {"ingest/relay"},
			// Tests of the whole program look at rows behind its back.
			"github.com/jackc/pgx": {"cmd/mailintake"},
		},
	}
}
