//! The little that is read from a `Cargo.toml`: the names of the package and of its features.
//!
//! Reads the shape in which manifests are written here: one key a line, or an array over several lines.

/// The `name` of the `[package]` table.
pub(crate) fn package_name(manifest: &str) -> Option<String> {
    let table = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[package]")
        .skip(1);
    let mut entries = table
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='));
    let (_, value) = entries.find(|(key, _)| key.trim() == "name")?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// The keys of the `[features]` table, `default` left out.
pub(crate) fn features(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    let mut depth = 0_usize;
    for line in manifest.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if depth == 0 && line.starts_with('[') {
            inside = line == "[features]";
        } else if inside {
            if depth == 0
                && let Some((name, _)) = line.split_once('=')
            {
                names.push(name.trim().trim_matches('"').to_owned());
            }
            depth += line.matches('[').count();
            depth -= line.matches(']').count().min(depth);
        }
    }
    names.retain(|name| name != "default");
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_features_table_alone() {
        let manifest = "\
[package]
name = \"x\"

[features]
default = [\"a\"]
# A comment with = in it.
a = []
\"b-c\" = [
    \"dep:b\",
    \"c/d\", # e = f
]
g = [\"a\"]

[dependencies]
h = \"1\"
";
        assert_eq!(features(manifest), ["a", "b-c", "g"]);
        assert_eq!(package_name(manifest).as_deref(), Some("x"));
        assert_eq!(package_name("[workspace]\nname = \"y\"\n"), None);
        assert_eq!(features("[package]\nname = \"x\"\n"), [""; 0]);
    }
}
