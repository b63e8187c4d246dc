//! A server of the framed protocol, to which a client says anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_framed::fuzzing::framed_server(input));
