package rpc

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// codec is the usual protobuf codec but for requests that cannot be decoded, for example because a string is not UTF-8.
// grpc-go answers those with INTERNAL before any interceptor runs; here they become an empty message with a mark, which
// the interceptors refuse as INVALID_ARGUMENT.
type codec struct{}

// undecodable is the mark: an unknown field with the highest number there is, which no message declares.
const undecodable = protowire.MaxValidNumber

func base() encoding.CodecV2 { return encoding.GetCodecV2(proto.Name) }

func (codec) Name() string { return base().Name() }

func (codec) Marshal(v any) (mem.BufferSlice, error) { return base().Marshal(v) }

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := base().Unmarshal(data, v)
	if err == nil {
		return nil
	}
	m, ok := v.(protobuf.Message)
	if !ok {
		return err
	}
	protobuf.Reset(m)
	m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, undecodable, protowire.VarintType), 1))
	return nil
}

// unknownField finds a message in m, m itself included, that has a field unknown to the proto: the path of the message
// and the number of the field.
func unknownField(m protoreflect.Message) (path string, number protowire.Number, found bool) {
	if raw := m.GetUnknown(); len(raw) > 0 {
		n, _, _ := protowire.ConsumeTag(raw)
		return "", n, true
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		look := func(child protoreflect.Message) bool {
			if path, number, found = unknownField(child); found {
				if path != "" {
					path = "." + path
				}
				path = string(fd.Name()) + path
			}
			return !found
		}
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { return look(v.Message()) })
			}
		case fd.Message() == nil:
		case fd.IsList():
			for i := 0; i < v.List().Len() && look(v.List().Get(i).Message()); i++ {
			}
		default:
			return look(v.Message())
		}
		return !found
	})
	return path, number, found
}
