//! `sim`: runs the scenarios and prints what they show.

mod options;

use std::{fs, path::Path, process::ExitCode, time::Instant};

use rpc_sim::scenario::Findings;

use self::options::Options;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let outcome = match Options::parse(&args) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{}", options::usage());
            Ok(())
        }
        Err(error) => Err(format!("{error}\n\n{}", options::usage())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut all = Vec::new();
    for scenario in &options.scenarios {
        let started = Instant::now();
        let findings = (scenario.run)(options.run);
        if !options.json {
            println!("## {}: {}\n", scenario.name, scenario.about);
            for table in &findings.tables {
                println!("{table}");
            }
            println!(
                "({:.1} s, seed {})\n",
                started.elapsed().as_secs_f64(),
                options.run.seed
            );
        }
        all.push(findings);
    }
    let json = || serde_json::to_string_pretty(&all).map_err(|error| error.to_string());
    if options.json {
        println!("{}", json()?);
    }
    if let Some(folder) = &options.report {
        report(folder, &all, &json()?).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    }
    Ok(())
}

/// Writes the plots, and the records as JSON.
fn report(folder: &Path, all: &[Findings], json: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("sim.json"), json)?;
    for (name, svg) in all.iter().flat_map(|findings| &findings.plots) {
        fs::write(folder.join(name), svg)?;
    }
    eprintln!("the records and the plots are in `{}`", folder.display());
    Ok(())
}
