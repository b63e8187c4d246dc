//! The frame decoder, with and without compression.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_grpc::fuzzing::frames(input));
