//! From files to generated code, through the public API.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use prost::Message;
use prost_types::FileDescriptorSet;
use rpc_build::{Config, Error};
use tempfile::TempDir;

/// A folder with files in it.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn compile(&self, change: impl FnOnce(Config) -> Config, files: &[&str]) -> Result<(), Error> {
        let config = Config::new().include(self.0.path()).out_dir(self.path("out"));
        change(config).compile(files.iter().map(|file| self.path(file)))
    }

    fn generated(&self, name: &str) -> String {
        fs::read_to_string(self.path("out").join(name)).expect("a generated file")
    }
}

const SHOP: &str = r#"
    syntax = "proto3";
    package shop.v1;
    import "common/unit.proto";

    // What is in stock.
    service Inventory {
      // Units of one article.
      rpc Stock(Sku) returns (Count) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc Watch(Sku) returns (stream Count);
      rpc Import(stream Count) returns (Sku);
      rpc Sync(stream Count) returns (stream Count) { option deprecated = true; }
    }
    message Sku { string id = 1; }
    message Count { uint32 units = 1; common.Unit unit = 2; }
"#;

const UNIT: &str = r#"
    syntax = "proto3";
    package common;
    message Unit { string name = 1; }
"#;

fn shop() -> Files {
    Files::new(&[("shop.proto", SHOP), ("common/unit.proto", UNIT)])
}

#[test]
fn a_file_that_somebody_wrote_is_not_written_over() {
    let shop = shop();
    let own = shop.path("out").join("mod.rs");
    fs::create_dir_all(shop.path("out")).unwrap();
    fs::write(&own, "pub mod shop;").unwrap();
    let error = shop.compile(|config| config, &["shop.proto"]).unwrap_err();
    assert!(error.to_string().contains("mod.rs` is not generated"), "{error}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "pub mod shop;");
    let elsewhere = |config: Config| {
        config.messages(|messages| {
            messages.include_file("all.rs");
        })
    };
    shop.compile(elsewhere, &["shop.proto"]).unwrap();
    assert_eq!(fs::read_to_string(&own).unwrap(), "pub mod shop;");
    assert!(shop.generated("all.rs").contains("pub mod v1"));
    // One that was generated is generated again.
    fs::remove_file(&own).unwrap();
    for _ in 0..2 {
        shop.compile(|config| config, &["shop.proto"]).unwrap();
    }
}

#[test]
fn a_service_becomes_an_annotated_trait() {
    let files = shop();
    files.compile(|config| config, &["shop.proto"]).expect("compiles");
    let code = files.generated("shop.v1.rs");
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "/// What is in stock. #[::rpc::service( package = \"shop.v1\", name = \"Inventory\", codecs = [Prost], \
         file_descriptor_set = FILE_DESCRIPTOR_SET )] pub trait Inventory {",
        "/// Units of one article. #[rpc(name = \"Stock\", idempotent)] async fn stock( &self, request: \
         ::rpc::Request<Sku>, ) -> ::rpc::Result<::rpc::Response<Count>>;",
        "#[rpc(name = \"Watch\")] async fn watch( &self, request: ::rpc::Request<Sku>, ) -> \
         ::rpc::Result<::rpc::Response<::rpc::Streaming<Count>>>;",
        "#[rpc(name = \"Import\")] async fn import( &self, request: ::rpc::Request<::rpc::Streaming<Count>>, ) -> \
         ::rpc::Result<::rpc::Response<Sku>>;",
        "#[deprecated] #[rpc(name = \"Sync\")] async fn sync(",
    ] {
        assert!(code.contains(expected), "{expected}\nis not in\n{code}");
    }
}

#[test]
fn bare_messages_and_a_renamed_crate() {
    let files = shop();
    files
        .compile(
            |config| config.bare_messages().crate_path("::my::rpc"),
            &["shop.proto"],
        )
        .expect("compiles");
    let code = files.generated("shop.v1.rs");
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code.contains("async fn stock(&self, request: Sku) -> ::my::rpc::Result<Count>;"),
        "{code}"
    );
    assert!(
        code.contains("-> ::my::rpc::Result<::my::rpc::Streaming<Count>>"),
        "{code}"
    );
    assert!(code.contains("crate = ::my::rpc"), "{code}");
    assert!(code.contains("::my::rpc::prost::Message"), "{code}");
}

#[test]
fn the_descriptor_set_holds_the_package_and_its_imports() {
    let files = shop();
    files.compile(|config| config, &["shop.proto"]).expect("compiles");
    assert!(
        files
            .generated("shop.v1.rs")
            .contains("include_bytes!(\"shop.v1.descriptors.bin\")")
    );
    let bytes = fs::read(files.path("out").join("shop.v1.descriptors.bin")).expect("a descriptor set");
    let set = FileDescriptorSet::decode(bytes.as_slice()).expect("decodes");
    let names: Vec<_> = set.file.iter().map(|file| file.name().to_owned()).collect();
    assert_eq!(names, ["common/unit.proto", "shop.proto"]);
    assert!(
        !files.generated("common.rs").contains("FILE_DESCRIPTOR_SET"),
        "no service, no descriptors"
    );
}

#[test]
fn a_service_whose_stub_has_the_name_of_a_message_is_refused_until_it_is_renamed() {
    let text = "syntax = \"proto3\"; package a; message StockClient {} \
                service Stock { rpc Get(StockClient) returns (StockClient); }";
    let files = Files::new(&[("a.proto", text)]);
    let error = files
        .compile(|config| config, &["a.proto"])
        .expect_err("is refused")
        .to_string();
    assert!(
        error.contains("service `a.Stock` would generate `StockClient`"),
        "{error}"
    );
    assert!(
        error.contains(".rename_service(\"a.Stock\", \"StockService\")"),
        "{error}"
    );
    files
        .compile(
            |config| config.rename_service("a.Stock", "StockService"),
            &["a.proto"],
        )
        .expect("compiles once it is renamed");
    let code = files.generated("a.rs");
    assert!(
        code.contains("pub trait StockService") && code.contains("name = \"Stock\""),
        "{code}"
    );
}

/// What a package in which several things get one name is refused with.
fn refused(items: &str) -> String {
    let text = format!("syntax = \"proto3\"; package a; message Nothing {{}} {items}");
    let files = Files::new(&[("a.proto", &text)]);
    let compiled = files.compile(|config| config, &["a.proto"]);
    compiled.expect_err("is refused").to_string()
}

#[test]
fn a_message_is_found_however_its_name_is_spelled() {
    for (service, name, spelled) in [
        ("Stock", "StockClient", "stock_client"),
        ("Stock", "StockServer", "STOCK_Server"),
        ("Stock", "Stock", "stock"),
        ("HttpStock", "HttpStockClient", "HTTPStock_client"),
        ("S3", "S3Client", "s3Client"),
        ("A1B", "A1bClient", "A1BClient"),
        ("Self", "Self_", "self"),
    ] {
        let service = format!("service {service} {{ rpc Get(Nothing) returns (Nothing); }}");
        for kind in [
            format!("message {spelled} {{}}"),
            format!("enum {spelled} {{ NONE = 0; }}"),
        ] {
            let error = refused(&format!("{service} {kind}"));
            let expected = format!("would generate `{name}`, which is a message of the package");
            assert!(error.contains(&expected), "{spelled}: {error}");
        }
    }
}

#[test]
fn two_services_that_generate_one_name_are_refused() {
    let error = refused(
        "service Stock { rpc Get(Nothing) returns (Nothing); } \
         service stock_client { rpc Get(Nothing) returns (Nothing); }",
    );
    for expected in [
        "service `a.Stock` would generate `StockClient`, which service `a.stock_client` generates as well",
        "service `a.stock_client` would generate `StockClient`, which service `a.Stock` generates as well",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_is_said_of_names_is_checked() {
    let files = shop();
    let refused = |change: fn(Config) -> Config| {
        let compiled = files.compile(change, &["shop.proto"]);
        compiled.expect_err("is refused").to_string()
    };
    for path in [
        "",
        "my rpc",
        "::",
        "::my-rpc",
        "::my::fn",
        "::my::rpc::",
        "::my<u8>",
    ] {
        let compiled = files.compile(|config| config.crate_path(path), &["shop.proto"]);
        let error = compiled.expect_err("is refused").to_string();
        assert!(
            error.contains(&format!("`crate_path` is no path, but `{path}`")),
            "{error}"
        );
    }
    for path in ["crate::rpc", "rpc", "::r#fn::_rpc2", "super::super::rpc"] {
        let compiled = files.compile(|config| config.crate_path(path), &["shop.proto"]);
        compiled.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let error = refused(|config| config.rename_service("shop.v1.Inventory", "Stock room"));
    assert!(
        error.contains("`Stock room`, which cannot be the name of a trait"),
        "{error}"
    );
    let error = refused(|config| config.rename_service("shop.Inventory", "Stock"));
    assert!(
        error.contains("no file has a service `shop.Inventory`; there is: `shop.v1.Inventory`"),
        "{error}"
    );
    let error = refused(|config| config.rename_method("shop.v1.Inventory/Stock", "count all"));
    assert!(
        error.contains("`count all`, which cannot be the name of a function"),
        "{error}"
    );
    let error = refused(|config| config.rename_method("shop.v1.Inventory", "count"));
    assert!(
        error.contains("no file has a method `shop.v1.Inventory`; there is: `shop.v1.Inventory/Stock`, "),
        "{error}"
    );
    let error = refused(|config| config.timeout("shop.v1.Inventory/Stock", Duration::from_nanos(1)));
    assert!(
        error.contains("`timeout` of `shop.v1.Inventory/Stock`"),
        "{error}"
    );
}

#[test]
fn what_an_attribute_can_say_is_said_in_the_build_script() {
    let files = shop();
    let change = |config: Config| {
        config
            .object_safe("shop.v1.Inventory")
            .blocking("shop.v1.Inventory")
            .rename_method("shop.v1.Inventory/Stock", "count")
            .timeout("shop.v1.Inventory/Stock", Duration::from_millis(200))
    };
    files.compile(change, &["shop.proto"]).expect("compiles");
    let code = files.generated("shop.v1.rs");
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "file_descriptor_set = FILE_DESCRIPTOR_SET, dyn, blocking )] pub trait Inventory {",
        "#[rpc(name = \"Stock\", idempotent, timeout = \"200000us\")] async fn count(",
    ] {
        assert!(code.contains(expected), "{expected}\nis not in\n{code}");
    }
}

#[test]
fn methods_whose_functions_cannot_have_their_names_are_refused_until_they_are_renamed() {
    let text = "syntax = \"proto3\"; package a; message Nothing {} service Stock { \
                rpc WithOptions(Nothing) returns (Nothing); rpc New(Nothing) returns (Nothing); \
                rpc GetAll(Nothing) returns (Nothing); rpc get_all(Nothing) returns (Nothing); }";
    let files = Files::new(&[("a.proto", text)]);
    let error = files
        .compile(|config| config.blocking("a.Stock"), &["a.proto"])
        .expect_err("is refused")
        .to_string();
    for expected in [
        "method `a.Stock/WithOptions` would be `with_options`, which the stub has of its own: write \
         `.rename_method(\"a.Stock/WithOptions\", \"with_options_call\")`",
        "method `a.Stock/New` would be `new`, which the stub has of its own",
        "method `a.Stock/get_all` would be `get_all`, which method `GetAll` is as well",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let renamed = |config: Config| {
        config
            .rename_method("a.Stock/WithOptions", "configure")
            .rename_method("a.Stock/get_all", "get_all_old")
    };
    files
        .compile(renamed, &["a.proto"])
        .expect("compiles once they are renamed");
    assert!(files.generated("a.rs").contains("async fn get_all_old("));
}

#[test]
fn all_packages_are_in_the_modules_that_they_name() {
    let files = shop();
    files.compile(|config| config, &["shop.proto"]).expect("compiles");
    let code = files.generated("mod.rs");
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "pub mod common { include!(\"common.rs\"); }",
        "pub mod shop { pub mod v1 { include!(\"shop.v1.rs\"); } }",
    ] {
        assert!(code.contains(expected), "{expected}\nis not in\n{code}");
    }
    assert!(
        files
            .generated("shop.v1.rs")
            .contains("super::super::common::Unit")
    );
}

#[test]
fn what_several_calls_generate_is_in_one_file() {
    let files = Files::new(&[
        ("shop.proto", SHOP),
        ("common/unit.proto", UNIT),
        (
            "ship.proto",
            "syntax = \"proto3\"; package shop.ship; message Box {}",
        ),
        ("none.proto", "syntax = \"proto3\"; message Bare {}"),
    ]);
    let all = ["shop.proto", "ship.proto", "none.proto"];
    for file in all {
        files.compile(|config| config, &[file]).expect("compiles");
    }
    let several = files.generated("mod.rs");
    let code = several.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "include!(\"_.rs\"); pub mod common { include!(\"common.rs\"); } pub mod shop { \
                    pub mod ship { include!(\"shop.ship.rs\"); } pub mod v1 { include!(\"shop.v1.rs\"); } }";
    assert!(code.ends_with(expected), "{code}");
    fs::remove_file(files.path("out/mod.rs")).unwrap();
    files.compile(|config| config, &all).expect("compiles");
    assert_eq!(files.generated("mod.rs"), several);
}

/// In a process of its own, because the folder of a build script is its crate's and what it prints is for Cargo.
#[test]
fn cargo_is_told_of_files_and_not_of_folders() {
    const CHILD: &str = "RPC_BUILD_TEST_CHILD";
    if env::var_os(CHILD).is_some() {
        let config = Config::new().out_dir("out");
        return config.compile(["shop.proto"]).expect("compiles");
    }
    let shop = shop();
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "cargo_is_told_of_files_and_not_of_folders",
            "--nocapture",
        ])
        .env(CHILD, "")
        .current_dir(shop.0.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let told = output
        .split_whitespace()
        .filter_map(|line| line.strip_prefix("cargo:rerun-if-changed="));
    let told: Vec<_> = told
        .map(|path| Path::new(path).strip_prefix(".").unwrap())
        .collect();
    assert_eq!(told, ["common/unit.proto", "shop.proto"].map(Path::new));
}

#[test]
fn mistakes_name_file_and_place() {
    let files = Files::new(&[(
        "bad.proto",
        "syntax = \"proto3\";\nmessage A { Missing field = 1; }\n",
    )]);
    let error = files
        .compile(|config| config, &["bad.proto"])
        .expect_err("is refused")
        .to_string();
    assert!(
        error.contains("bad.proto") && error.contains("Missing") && error.contains('2'),
        "{error}"
    );
    let error = files
        .compile(|config| config, &["absent.proto"])
        .expect_err("is refused")
        .to_string();
    assert!(error.contains("absent.proto"), "{error}");
}
