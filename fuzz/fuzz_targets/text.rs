//! `grpc-timeout` and `grpc-message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_grpc::fuzzing::text(input));
