//! Settings that the guide shows are read as they stand, and make a client.

use std::{collections::BTreeMap, fs, path::Path};

use rpc::{
    Client, MemoryRegistry,
    lb::{HealthConfig, RouteConfig, fault::FaultRule},
    matcher::Matcher,
};
use serde::de::DeserializeOwned;

/// The blocks of TOML on a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while lines.any(|line| line == "```toml") {
        let block = lines.by_ref().take_while(|line| *line != "```");
        blocks.push(block.collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// Takes a setting out of a document.
fn take<T: DeserializeOwned>(document: &mut toml::Table, name: &str) -> Result<Option<T>, toml::de::Error> {
    document.remove(name).map(toml::Value::try_into).transpose()
}

/// Reads the settings of a block, all of which have to be known, and makes a client with them.
fn build(block: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let mut document: toml::Table = block.parse()?;
    let faults: Option<Vec<FaultRule>> = take(&mut document, "faults")?;
    let health: Option<HealthConfig> = take(&mut document, "health")?;
    // A part of any rule.
    let _: Option<Matcher> = take(&mut document, "when")?;
    let routes: RouteConfig = document.try_into()?;
    let client = Client::builder()
        .target("memory:///shop?group=*")
        .registry(MemoryRegistry::new())
        .faults(faults.unwrap_or_default())
        .health(health.unwrap_or_default())
        .routes(routes);
    Ok(client.build()?)
}

#[test]
fn settings_in_the_guide_make_a_client() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut read = BTreeMap::new();
    for page in fs::read_dir(guide).unwrap() {
        let path = page.unwrap().path();
        if path.extension() != Some("md".as_ref()) {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for block in blocks(&fs::read_to_string(&path).unwrap()) {
            if let Err(error) = build(&block) {
                panic!("{name}: {error} in\n{block}");
            }
            *read.entry(name.clone()).or_default() += 1;
        }
    }
    let expected = [("health.md", 1), ("matching.md", 2), ("routing.md", 5)];
    assert_eq!(
        read,
        expected.map(|(name, blocks)| (name.to_owned(), blocks)).into()
    );
}
