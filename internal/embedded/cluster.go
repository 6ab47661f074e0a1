package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// NATSCluster is several JetStream servers in this process that replicate to each other, for tests of what happens when
// one of them fails. Its methods are called one at a time.
type NATSCluster struct {
	dir     string
	nodes   []*NATS // nil while stopped
	clients []int   // ports
	routes  []int
	tweak   []func(*server.Options)
}

// StartNATSCluster starts n servers (3 for streams with three replicas) on free ports of 127.0.0.1, with their files
// below dir, and returns when they have elected a leader. Each tweak may change a server's options before it starts.
func StartNATSCluster(dir string, n int, tweak ...func(*server.Options)) (*NATSCluster, error) {
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, fmt.Errorf("embedded nats cluster: %w", err)
	}
	c := &NATSCluster{dir: dir, nodes: make([]*NATS, n), clients: ports[:n], routes: ports[n:], tweak: tweak}
	for i := range n {
		if err := c.launch(i); err != nil {
			c.Stop()
			return nil, fmt.Errorf("embedded nats cluster: %w", err)
		}
	}
	if err := c.awaitLeader(); err != nil {
		c.Stop()
		return nil, fmt.Errorf("embedded nats cluster: %w", err)
	}
	return c, nil
}

// launch starts one server without waiting for it: the first cannot be ready before there is a second.
func (c *NATSCluster) launch(i int) error {
	var peers []string
	for _, p := range c.routes {
		peers = append(peers, "nats://127.0.0.1:"+strconv.Itoa(p))
	}
	name := fmt.Sprintf("n%d", i+1)
	opts := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: c.clients[i],
		Cluster: server.ClusterOpts{Name: "mailintake", Host: "127.0.0.1", Port: c.routes[i]},
		Routes:  server.RoutesFromStr(strings.Join(peers, ",")),
	}
	for _, f := range c.tweak {
		f(opts)
	}
	n, err := startNATS(filepath.Join(c.dir, name), opts, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("server %s: %w", name, err)
	}
	c.nodes[i] = n
	return nil
}

// awaitLeader returns when one server leads JetStream, knows all other running ones well enough to place replicas on
// them, and all of them serve clients.
func (c *NATSCluster) awaitLeader() error {
	for deadline := time.Now().Add(natsPatience); time.Now().Before(deadline); {
		if c.settled() {
			return nil
		}
		time.Sleep(20 * time.Millisecond) // the server offers no signal for this
	}
	return errors.New("no JetStream leader was elected")
}

func (c *NATSCluster) settled() bool {
	running, leaders, known := 0, 0, 0
	for _, n := range c.nodes {
		if n == nil {
			continue
		}
		running++
		leads := n.server.JetStreamIsLeader()
		if leads {
			leaders++
			known = len(n.server.JetStreamClusterPeers())
		}
		if !n.server.ReadyForConnections(time.Millisecond) || !leads && !n.server.JetStreamIsCurrent() {
			return false
		}
	}
	return leaders == 1 && known == running
}

// URL lists the addresses of all servers, running or not, for a client that moves to the next by itself.
func (c *NATSCluster) URL() string {
	var urls []string
	for _, p := range c.clients {
		urls = append(urls, "nats://127.0.0.1:"+strconv.Itoa(p))
	}
	return strings.Join(urls, ",")
}

// StreamLeader is the index of the server that leads the stream, or -1 while there is none.
func (c *NATSCluster) StreamLeader(stream string) int {
	for i, n := range c.nodes {
		if n != nil && n.server.JetStreamIsStreamLeader("$G", stream) {
			return i
		}
	}
	return -1
}

// StopServer stops server i, from 0. The others go on as long as they are a majority.
func (c *NATSCluster) StopServer(i int) {
	if n := c.nodes[i]; n != nil {
		n.Stop()
		c.nodes[i] = nil
	}
}

// StartServer starts server i again on its port and files, and waits until the cluster has a leader.
func (c *NATSCluster) StartServer(i int) error {
	if c.nodes[i] != nil {
		return nil
	}
	if err := c.launch(i); err != nil {
		return fmt.Errorf("embedded nats cluster: %w", err)
	}
	if err := c.awaitLeader(); err != nil {
		return fmt.Errorf("embedded nats cluster: %w", err)
	}
	return nil
}

// Stop stops all servers.
func (c *NATSCluster) Stop() {
	for i := range c.nodes {
		c.StopServer(i)
	}
}

// freePorts finds n ports by listening on all of them at the same time.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
