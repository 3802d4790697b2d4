//! A store for tests whose first listing is suspended while another master continues.

use async_trait::async_trait;
use futures::{StreamExt, executor, stream, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// Shows in its first listing what was there at the start of the listing, and of what was created
/// during it only the newest object.
pub(crate) struct TornListing {
    objects: Arc<InMemory>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl TornListing {
    /// `meanwhile` runs while the first listing is suspended.
    pub(crate) fn of(objects: Arc<InMemory>, meanwhile: impl FnOnce() + Send + 'static) -> Self {
        Self { objects, meanwhile: Mutex::new(Some(Box::new(meanwhile))) }
    }

    fn all(&self, prefix: Option<&Path>) -> Vec<Result<ObjectMeta>> {
        executor::block_on(self.objects.list(prefix).collect())
    }
}

impl fmt::Debug for TornListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TornListing")
    }
}

impl fmt::Display for TornListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TornListing")
    }
}

#[async_trait]
impl ObjectStore for TornListing {
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut shown = self.all(prefix);
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
            let mut later = self.all(prefix);
            later.sort_by_key(|object| object.as_ref().unwrap().location.clone());
            shown.extend(later.pop());
        }
        stream::iter(shown).boxed()
    }

    async fn put_opts(&self, to: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.objects.put_opts(to, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(to, how).await
    }

    async fn get_opts(&self, from: &Path, how: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(from, how).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(paths)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, how).await
    }
}
