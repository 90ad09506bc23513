// A provider of resources that are slow, fail or do not listen: what a real one does at its worst.
// Its one resource, slow:index:File, writes a file after a while.
package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const schema = `{"name":"slow","version":"1.0.0","resources":{"slow:index:File":{
"inputProperties":{"path":{"type":"string"},"content":{"type":"string"},"seconds":{"type":"number"},"fail":{"type":"boolean"}},
"requiredInputs":["path"],
"properties":{"path":{"type":"string"},"content":{"type":"string"},"seconds":{"type":"number"},"fail":{"type":"boolean"}},
"required":["path"]}}}`

type slow struct {
	pulumirpc.UnimplementedResourceProviderServer
	cancelled atomic.Bool
}

func (*slow) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: schema}, nil
}

func (*slow) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

func (*slow) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.News}, nil
}

func (*slow) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{}, nil
}

func (*slow) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

func (*slow) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.News}, nil
}

func (*slow) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, news := properties(r.Olds), properties(r.News)
	if olds.DeepEquals(news) {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}, nil
}

func (s *slow) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if err := s.write(properties(r.Properties), r.Preview); err != nil {
		return nil, err
	}
	return &pulumirpc.CreateResponse{Id: "file", Properties: r.Properties}, nil
}

func (s *slow) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if err := s.write(properties(r.News), r.Preview); err != nil {
		return nil, err
	}
	return &pulumirpc.UpdateResponse{Properties: r.News}, nil
}

func (*slow) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: r.Id, Properties: r.Properties, Inputs: r.Inputs}, nil
}

func (*slow) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	_ = os.Remove(properties(r.Properties)["path"].StringValue())
	return &emptypb.Empty{}, nil
}

func (s *slow) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	if os.Getenv("SLOW_IGNORE_CANCEL") == "" {
		s.cancelled.Store(true)
	}
	return &emptypb.Empty{}, nil
}

// write takes its time, and then writes the file; or does not, if it is told to stop or to fail.
func (s *slow) write(p resource.PropertyMap, isPreview bool) error {
	if isPreview {
		return nil
	}
	seconds := 0.0
	if p["seconds"].IsNumber() {
		seconds = p["seconds"].NumberValue()
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for time.Now().Before(end) {
		if s.cancelled.Load() {
			return fmt.Errorf("stopped before it was done")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if p["fail"].IsBool() && p["fail"].BoolValue() {
		return fmt.Errorf("it fails, as it was told to")
	}
	content := ""
	if p["content"].IsString() {
		content = p["content"].StringValue()
	}
	return os.WriteFile(p["path"].StringValue(), []byte(content), 0o644)
}

func properties(s *structpb.Struct) resource.PropertyMap {
	p, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: false})
	if err != nil {
		return resource.PropertyMap{}
	}
	return p
}

func main() {
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, &slow{})
			return nil
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(handle.Port)
	if err := <-handle.Done; err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
