package rpc

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// health answers grpc.health.v1 from a function, so that it is never out of date.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	serving func(service string) bool
	done    <-chan struct{}
}

// services are those whose health can be asked for; the empty name is the process as a whole.
func services() []string {
	return []string{"", mailintakev1.EmailChannelService_ServiceDesc.ServiceName, mailintakev1.MessageService_ServiceDesc.ServiceName,
		mailintakev1.ReplayService_ServiceDesc.ServiceName}
}

func (h *health) status(service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
	for _, s := range services() {
		if s == service {
			if h.serving(service) {
				return grpc_health_v1.HealthCheckResponse_SERVING
			}
			return grpc_health_v1.HealthCheckResponse_NOT_SERVING
		}
	}
	return grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN
}

func (h *health) Check(_ context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	s := h.status(r.GetService())
	if s == grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return &grpc_health_v1.HealthCheckResponse{Status: s}, nil
}

func (h *health) List(context.Context, *grpc_health_v1.HealthListRequest) (*grpc_health_v1.HealthListResponse, error) {
	r := &grpc_health_v1.HealthListResponse{Statuses: map[string]*grpc_health_v1.HealthCheckResponse{}}
	for _, s := range services() {
		r.Statuses[s] = &grpc_health_v1.HealthCheckResponse{Status: h.status(s)}
	}
	return r, nil
}

// Watch sends the status at once and whenever it has changed, looking once a second.
func (h *health) Watch(r *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := grpc_health_v1.HealthCheckResponse_ServingStatus(-1)
	for {
		if s := h.status(r.GetService()); s != last {
			last = s
			if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: s}); err != nil {
				return err
			}
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-h.done:
			return status.Error(codes.Unavailable, "the server is stopping")
		case <-tick.C:
		}
	}
}
