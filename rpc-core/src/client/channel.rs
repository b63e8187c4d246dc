//! What a stub calls.

use std::{fmt, sync::Arc};

use crate::{CallOptions, Stage, stage::SharedStage};

/// The assembled client pipeline for one target. Cheap to clone; clones share connections and all that was learnt.
#[derive(Clone)]
pub struct Channel {
    pipeline: SharedStage,
    options: Arc<CallOptions>,
}

impl Channel {
    /// Of a pipeline.
    pub fn new(pipeline: impl Stage + 'static) -> Self {
        Self {
            pipeline: SharedStage::new(pipeline),
            options: Arc::default(),
        }
    }

    /// The same channel, with options for the calls made through the new one. What they leave open stays as it is here.
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self {
            pipeline: self.pipeline.clone(),
            options: Arc::new(options.or(&self.options)),
        }
    }

    /// What the calls made through it ask for.
    pub fn options(&self) -> &CallOptions {
        &self.options
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &SharedStage {
        &self.pipeline
    }
}

impl From<&Channel> for Channel {
    fn from(channel: &Channel) -> Self {
        channel.clone()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Channel>();
};
