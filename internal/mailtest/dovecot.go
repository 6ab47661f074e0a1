package mailtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

//go:embed dovecot.conf.tmpl
var dovecotTemplate string

// requireDovecot is the environment variable that turns a missing Dovecot from a skipped test into a failed one.
const requireDovecot = "MAILINTAKE_REQUIRE_DOVECOT"

// ErrNoDovecot means that this machine has no Dovecot that can be used. It comes wrapped with what is missing.
var ErrNoDovecot = errors.New("no usable Dovecot; on Debian and Ubuntu: apt-get install -y dovecot-imapd dovecot-pop3d")

// DovecotOptions say how to run Dovecot. The zero value has no users.
type DovecotOptions struct {
	// Address to listen on; empty: 127.0.0.1. Linux has all of 127.0.0.0/8.
	Address string
	// StandardPorts listens on 143, 993, 110 and 995, for which root is needed. Otherwise Ports may name ports by
	// "imap", "imaps", "pop3" and "pop3s"; those not named are free ones.
	StandardPorts bool
	Ports         map[string]int
	// Users maps names to passwords. A name must be usable as the name of a folder.
	Users map[string]string
	// Cert is the server's certificate; nil makes one by an authority of its own, see Dovecot.CAPEM. With Cert, CA may
	// name the authority that signed it.
	Cert *Certificate
	CA   *CA
	// Extra lines for the end of the configuration.
	Extra string
}

// Dovecot is the system's Dovecot, run for one test or demonstration. Mail lies in a Maildir per user.
type Dovecot struct {
	Address                  string
	IMAP, IMAPS, POP3, POP3S int
	// CAPEM and CA are the authority of the server's certificate; nil if Cert was given without CA.
	CAPEM []byte
	CA    *CA

	dir   string // everything
	run   string // sockets; a short path
	ports map[string]int
	owner owner

	mu        sync.Mutex
	passwords map[string]string
	stamp     time.Time // of the password file
	child     *child    // nil while stopped
	delivered int
}

// owner is the user that mail belongs to.
type owner struct {
	root        bool
	user, group string
	uid, gid    int
}

// StartDovecot runs Dovecot until the test ends. If it is not installed the test is skipped, or fails if the
// environment has MAILINTAKE_REQUIRE_DOVECOT=1.
func StartDovecot(t testing.TB, opt DovecotOptions) *Dovecot {
	t.Helper()
	// Not T.TempDir: the mail user must be able to enter.
	dir, err := os.MkdirTemp("", "mi-dovecot-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := RunDovecot(t.Context(), dir, opt)
	if errors.Is(err, ErrNoDovecot) && os.Getenv(requireDovecot) != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			if log, err := os.ReadFile(d.LogFile()); err == nil {
				t.Logf("the end of Dovecot's log:\n%s", tail(string(log), 30))
			}
		}
	})
	return d
}

// RunDovecot starts Dovecot with all its files in dir, whose parents the user mail must be able to enter, and returns
// when it answers on all ports. It dies with this process; otherwise the caller stops it. As root, mail belongs to the
// user mail, else to this process' user. The context bounds the start alone. Errors wrap ErrNoDovecot where that is the
// reason.
func RunDovecot(ctx context.Context, dir string, opt DovecotOptions) (*Dovecot, error) {
	d, err := runDovecot(ctx, dir, opt)
	if err != nil {
		return nil, fmt.Errorf("mailtest: dovecot: %w", err)
	}
	return d, nil
}

func runDovecot(ctx context.Context, dir string, opt DovecotOptions) (*Dovecot, error) {
	if err := checkDovecot(ctx); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d := &Dovecot{Address: opt.Address, dir: dir, passwords: maps.Clone(opt.Users), CA: opt.CA}
	if d.Address == "" {
		d.Address = "127.0.0.1"
	}
	if d.passwords == nil {
		d.passwords = map[string]string{}
	}
	if d.owner, err = mailOwner(); err != nil {
		return nil, err
	}
	if opt.Cert == nil {
		d.CA = NewCA()
		opt.Cert = d.CA.Server(d.Address)
	}
	if d.CA != nil {
		d.CAPEM = d.CA.PEM()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"server.pem": opt.Cert.CertPEM, "server.key": opt.Cert.KeyPEM, "ca.pem": d.CAPEM, "dovecot.log": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	if err := d.makeMailDirs(); err != nil {
		return nil, err
	}
	if err := d.writePasswords(); err != nil {
		return nil, err
	}
	// A free port may be taken by somebody else before Dovecot has it: then others are tried.
	for attempt := 1; ; attempt++ {
		if d.ports, err = choosePorts(d.Address, opt); err != nil {
			return nil, err
		}
		d.IMAP, d.IMAPS, d.POP3, d.POP3S = d.ports["imap"], d.ports["imaps"], d.ports["pop3"], d.ports["pop3s"]
		err := d.start(ctx, opt.Extra)
		if err == nil {
			return d, nil
		}
		if attempt == 3 || !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
	}
}

// checkDovecot finds the programs and asks for the version, since 2.4 has another language of configuration.
func checkDovecot(ctx context.Context) error {
	bin, err := dovecotProgram("dovecot")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", bin, err)
	}
	if !strings.HasPrefix(string(out), "2.3.") {
		return fmt.Errorf("%w (found version %s, 2.3 is needed)", ErrNoDovecot, strings.TrimSpace(string(out)))
	}
	for _, p := range []string{"imap", "pop3"} {
		if !slices.ContainsFunc([]string{"/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot"}, func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, p))
			return err == nil
		}) {
			return fmt.Errorf("%w (dovecot is there, but not its %s part)", ErrNoDovecot, p)
		}
	}
	return nil
}

func dovecotProgram(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w (%s was not found)", ErrNoDovecot, name)
}

func mailOwner() (owner, error) {
	u, err := user.Current()
	if os.Geteuid() == 0 {
		u, err = user.Lookup("mail")
	}
	if err != nil {
		return owner{}, err
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return owner{}, err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return owner{root: os.Geteuid() == 0, user: u.Username, group: g.Name, uid: uid, gid: gid}, errors.Join(err1, err2)
}

func choosePorts(address string, opt DovecotOptions) (map[string]int, error) {
	if opt.StandardPorts {
		return map[string]int{"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}, nil
	}
	ports := map[string]int{}
	for _, name := range []string{"imap", "imaps", "pop3", "pop3s"} {
		if p := opt.Ports[name]; p != 0 {
			ports[name] = p
			continue
		}
		ln, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			return nil, err
		}
		defer ln.Close() // only when all are chosen, so that they differ
		ports[name] = ln.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// start writes the configuration and starts the server.
func (d *Dovecot) start(ctx context.Context, extra string) error {
	var err error
	// Sockets have short names: unix(7) allows 107 octets, and a test's folder can be longer than that.
	if d.run, err = os.MkdirTemp("", "mi-dc-"); err != nil {
		return err
	}
	if err := os.Chmod(d.run, 0o755); err != nil {
		return err
	}
	conf, err := os.Create(d.config())
	if err != nil {
		return err
	}
	err = template.Must(template.New("dovecot").Parse(dovecotTemplate)).Execute(conf, map[string]any{
		"Run": d.run, "Dir": d.dir, "Address": d.Address, "Ports": d.ports, "Extra": extra,
		"Root": d.owner.root, "User": d.owner.user, "Group": d.owner.group, "UID": d.owner.uid, "GID": d.owner.gid,
	})
	if err := errors.Join(err, conf.Close()); err != nil {
		return err
	}
	if err := d.launch(ctx); err != nil {
		os.RemoveAll(d.run)
		return err
	}
	return nil
}

func (d *Dovecot) config() string { return filepath.Join(d.dir, "dovecot.conf") }

// LogFile is where Dovecot writes its log.
func (d *Dovecot) LogFile() string { return filepath.Join(d.dir, "dovecot.log") }

func (d *Dovecot) launch(ctx context.Context) error {
	bin, err := dovecotProgram("dovecot")
	if err != nil {
		return err
	}
	var complaint syncBuffer
	c, err := startChild(exec.Command(bin, "-F", "-c", d.config()), &complaint, syscall.SIGTERM)
	if err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for name := range d.ports {
		for !d.answers(name) {
			select {
			case <-c.exited:
				log, _ := os.ReadFile(d.LogFile())
				return fmt.Errorf("ended at start (%v): %s%s", c.cmd.ProcessState, complaint.String(), tail(string(log), 5))
			case <-ctx.Done():
				c.kill()
				return fmt.Errorf("%s did not answer: %w", d.Addr(name), ctx.Err())
			case <-tick.C:
			}
		}
	}
	d.mu.Lock()
	d.child = c
	d.mu.Unlock()
	return nil
}

// answers reports whether the port accepts connections and, where the server speaks first, greets.
func (d *Dovecot) answers(protocol string) bool {
	conn, err := net.DialTimeout("tcp", d.Addr(protocol), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if strings.HasSuffix(protocol, "s") {
		return true // TLS: the client speaks first, and the same processes serve it
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// Addr is host:port of a protocol: "imap", "imaps", "pop3" or "pop3s".
func (d *Dovecot) Addr(protocol string) string {
	return net.JoinHostPort(d.Address, strconv.Itoa(d.ports[protocol]))
}

// Stop ends the server and all its connections, and returns when its ports are free. Mail stays. Stopping twice is
// harmless.
func (d *Dovecot) Stop() error {
	if err := d.halt(); err != nil {
		return err
	}
	return os.RemoveAll(d.run)
}

func (d *Dovecot) halt() error {
	d.mu.Lock()
	c := d.child
	d.child = nil
	d.mu.Unlock()
	if c == nil {
		return nil
	}
	// The master waits for sessions to end by themselves, and the login processes hold the ports for seconds after their
	// master is gone. So all are told, and in the end killed; what has left the master's process group is not ours.
	family := childrenOf(c.pid())
	tell := func(s syscall.Signal) {
		for _, pid := range family {
			if group, err := syscall.Getpgid(pid); err == nil && group == c.pid() {
				_ = syscall.Kill(pid, s)
			}
		}
	}
	c.signal(syscall.SIGTERM)
	tell(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(time.Second):
		c.kill()
	}
	tell(syscall.SIGKILL)
	for deadline := time.Now().Add(10 * time.Second); ; {
		busy := d.busyPort()
		if busy == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("mailtest: dovecot: port %d is still taken 10 s after the end", busy)
		}
		time.Sleep(10 * time.Millisecond) // nothing tells when a foreign process' port becomes free
	}
}

// busyPort is a port that cannot be listened on, or 0.
func (d *Dovecot) busyPort() int {
	for _, p := range d.ports {
		ln, err := net.Listen("tcp", net.JoinHostPort(d.Address, strconv.Itoa(p)))
		if err != nil {
			return p
		}
		ln.Close()
	}
	return 0
}

// Pause ends the server, as Stop does, so that clients are refused; Resume starts it again on the same ports with the
// same mail.
func (d *Dovecot) Pause() error { return d.halt() }

// Resume starts a paused server.
func (d *Dovecot) Resume() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.launch(ctx); err != nil {
		return fmt.Errorf("mailtest: dovecot: %w", err)
	}
	return nil
}

// Restart is Pause and Resume.
func (d *Dovecot) Restart() error {
	if err := d.Pause(); err != nil {
		return err
	}
	return d.Resume()
}

// Pids are the processes of the server, the master first, for measuring what they use.
func (d *Dovecot) Pids() []int {
	d.mu.Lock()
	c := d.child
	d.mu.Unlock()
	if c == nil {
		return nil
	}
	return append([]int{c.pid()}, childrenOf(c.pid())...)
}

// Doveadm runs the administrator's tool on this server and returns what it printed: Doveadm("kick", "alice").
func (d *Dovecot) Doveadm(args ...string) (string, error) {
	bin, err := dovecotProgram("doveadm")
	if err != nil {
		return "", err
	}
	out, err := exec.Command(bin, append([]string{"-c", d.config()}, args...)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("doveadm %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// SetUIDValidity begins a new generation of UIDs in the user's INBOX.
func (d *Dovecot) SetUIDValidity(user string, v uint32) error {
	_, err := d.Doveadm("mailbox", "update", "--uid-validity", strconv.FormatUint(uint64(v), 10), "-u", user, "INBOX")
	return err
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
