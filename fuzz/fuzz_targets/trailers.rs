//! Trailers with a status and its details.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_grpc::fuzzing::trailers(input));
