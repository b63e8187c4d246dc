//! rpc-governance
