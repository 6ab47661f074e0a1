// Package calendar reads invitations (RFC 5545, RFC 5546) as mail carries them. It is pure, total and bounded.
package calendar
