#[rpc_codegen::service(package = "a")]
struct Inventory {
    stock: u32,
}

fn main() {
    let _ = Inventory { stock: 1 };
}
