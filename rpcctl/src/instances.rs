//! `rpcctl instances`.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use rpc::registry::{
    Change, Filter, Follow, FollowConfig, Freshness, HoldBack, Instance, InstanceId, Target,
    record::plain::Plain,
};

use crate::{
    options::Instances as Options,
    say::{self, complain},
};

pub(crate) async fn run(options: Options) -> ExitCode {
    match follow(&options) {
        Ok(follow) => print(follow, &options).await,
        Err(error) => {
            complain(error);
            ExitCode::from(1)
        }
    }
}

fn follow(options: &Options) -> Result<Follow, rpc::BuildError> {
    let target: Target = options.target.parse()?;
    let schemes = rpc::built_in_schemes().with(options.etcd.scheme(&target)?);
    let resolver = schemes.resolver(&target)?;
    let mut config = FollowConfig::default();
    // What the registry says, not what a client makes of it.
    config.hold_back = HoldBack::off();
    config.first_answer = options.timeout;
    config.filter = Filter::of_target(&target)?;
    config.filter.group.get_or_insert_with(|| "*".to_owned());
    Ok(Follow::with_config(options.target.clone(), &*resolver, config))
}

async fn print(mut follow: Follow, options: &Options) -> ExitCode {
    let mut list = BTreeMap::new();
    loop {
        let change = follow.next().await;
        let freshness = change.freshness.clone();
        apply(&mut list, change);
        for bad in follow.view().refused {
            complain(format_args!(
                "the record of `{}` cannot be understood: {}",
                bad.id, bad.fault
            ));
        }
        match freshness {
            Freshness::Live => {
                if let Err(code) = show(&list, options.json) {
                    return code;
                }
            }
            other => {
                if let Some(fault) = other.fault() {
                    let advice = options.etcd.advice(fault);
                    complain(format_args!("the registry cannot be asked: {fault}{advice}"));
                }
                if !options.watch {
                    return ExitCode::from(2);
                }
            }
        }
        if !options.watch {
            return ExitCode::SUCCESS;
        }
    }
}

fn apply(list: &mut BTreeMap<InstanceId, Arc<Instance>>, change: Change) {
    for id in &change.gone {
        list.remove(id);
    }
    for listed in change.put {
        list.insert(listed.instance.id.clone(), listed.instance);
    }
}

fn show(list: &BTreeMap<InstanceId, Arc<Instance>>, json: bool) -> Result<(), ExitCode> {
    if json {
        let plain: Vec<_> = list.values().map(|instance| Plain::from(&**instance)).collect();
        // It is made of texts and numbers: there is nothing that could not be written.
        return say::print(serde_json::to_string(&plain).unwrap_or_default());
    }
    let mut rows = vec![
        [
            "ID",
            "STATE",
            "WEIGHT",
            "ADDRESSES",
            "ZONE",
            "LANE",
            "GROUPS",
            "VERSION",
        ]
        .map(str::to_owned),
    ];
    let or_dash = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
    let joined = |texts: Vec<String>| or_dash(Some(&texts.join(",")));
    for instance in list.values() {
        rows.push([
            instance.id.to_string(),
            instance.state.to_string(),
            instance.weight.to_string(),
            joined(instance.addresses.iter().map(ToString::to_string).collect()),
            or_dash(instance.zone.as_deref()),
            or_dash(instance.lane.as_ref().map(rpc::context::Lane::as_str)),
            joined(instance.groups.iter().map(ToString::to_string).collect()),
            or_dash(instance.version.as_deref()),
        ]);
    }
    let widths: Vec<_> = (0..8)
        .map(|n| rows.iter().map(|row| row[n].len()).max().unwrap_or(0))
        .collect();
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let cells: Vec<_> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    say::print(lines.join("\n"))
}
