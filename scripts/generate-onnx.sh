#!/bin/sh
# Makes src/graph/gen/onnx_pb.ts from src/graph/onnx.proto. Needs only the development packages of this repository
# (@bufbuild/buf compiles the schema, @bufbuild/protoc-gen-es writes the TypeScript) and no network.
# Run it after a change of onnx.proto and commit the result.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
buf generate src/graph --template '{
  "version": "v2",
  "plugins": [{
    "local": "protoc-gen-es",
    "out": "src/graph/gen",
    "opt": ["target=ts", "import_extension=ts"]
  }]
}'
