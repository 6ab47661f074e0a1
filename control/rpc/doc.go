// Package rpc serves package control over gRPC and, through a gateway, as JSON over HTTP. It translates and refuses;
// what a call means is decided in control. Errors become statuses in one function, statusOf.
package rpc
