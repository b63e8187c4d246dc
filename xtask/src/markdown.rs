//! Code blocks of a Markdown file that are marked as files of a scratch crate.
//!
//! The mark is a comment that readers do not see, on a line of its own just before the block:
//!
//! ````text
//! <!-- scratch: main.rs -->
//! ```rust
//! fn main() {}
//! ```
//! ````

use crate::error::{Error, Result};

/// A marked block: the file name of the mark, and the code.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) file: String,
    pub(crate) code: String,
}

/// All marked blocks, in order.
///
/// # Errors
/// A mark is not followed by a code block, the block does not end, or the name is no plain file name.
pub(crate) fn marked_blocks(text: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(file) = mark(line) else { continue };
        if file.is_empty() || file.contains(['/', '\\']) {
            return Err(Error::Failed(format!(
                "`{}`: want a plain file name",
                line.trim()
            )));
        }
        let opening = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
        if !opening.starts_with("```") {
            return Err(Error::Failed(format!(
                "the mark of `{file}` is not followed by a code block"
            )));
        }
        let mut code = String::new();
        loop {
            match lines.next() {
                Some("```") => break,
                Some(line) => {
                    code.push_str(line);
                    code.push('\n');
                }
                None => return Err(Error::Failed(format!("the code block of `{file}` does not end"))),
            }
        }
        blocks.push(Block {
            file: file.to_owned(),
            code,
        });
    }
    Ok(blocks)
}

fn mark(line: &str) -> Option<&str> {
    line.trim()
        .strip_prefix("<!-- scratch:")?
        .strip_suffix("-->")
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_blocks_are_found_and_others_left_alone() {
        let text = "\
# Title

```rust
not marked
```

<!-- scratch: main.rs -->

```rust
fn main() {
    println!(\"hi\");
}
```
text
<!-- scratch:other.rs-->
```rust,no_run
const A: u8 = 1;
```
";
        let blocks = marked_blocks(text).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0].file, "main.rs");
        assert_eq!(blocks[0].code, "fn main() {\n    println!(\"hi\");\n}\n");
        assert_eq!(
            blocks[1],
            Block {
                file: "other.rs".into(),
                code: "const A: u8 = 1;\n".into()
            }
        );
    }

    #[test]
    fn mistakes_are_told() {
        let error = |text| marked_blocks(text).unwrap_err().to_string();
        assert!(error("<!-- scratch: main.rs -->\ntext\n").contains("not followed"));
        assert!(error("<!-- scratch: main.rs -->\n```rust\nfn").contains("does not end"));
        assert!(error("<!-- scratch: ../main.rs -->\n```rust\n```").contains("plain file name"));
    }
}
