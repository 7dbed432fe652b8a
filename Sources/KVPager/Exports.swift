// The words (Token, BlockLayout, ModelFingerprint, StoreError, ...) come with the façade.
@_exported import KVBlocks
