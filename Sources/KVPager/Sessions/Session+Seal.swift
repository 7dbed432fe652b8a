import KVTiering

extension Session {
  /// Gives the open tail its identity: a full block, or a short one at a commit. Does nothing where there is none.
  func sealOpenTail() throws(StoreError) {
    guard let frame = state.withLock({ $0.open.take() }) else { return }
    let (parent, tokens, sharing) = state.withLock {
      ($0.table.hashes.last ?? space.root, Array($0.tokens[$0.table.tokenCount...]), $0.openSharing)
    }
    var block = BlockDescriptor(space: space.id, parent: parent, tokens: tokens)
    pager.protect([block.key])
    do throws(StoreError) {
      if sharing == .byContent, try pager.isAvailable(block.key) {
        let bytes = UnsafeRawBufferPointer(frame.bytes)
        let isEqual = try pager.contentEquals(block.key, layout: layout, tokenCount: tokens.count, frame: bytes)
        if isEqual == false {
          let digest = ChainHash.digest(ofRows: tokens.count, frame: bytes, layout: layout)
          pager.unprotect([block.key])
          block = BlockDescriptor(space: space.id, parent: parent, tokens: tokens, extra: [.variant(digest: digest)])
          pager.protect([block.key])
        }
      }
    } catch {
      pager.unprotect([block.key])
      restore(frame)
      throw error
    }
    do throws(StoreError) {
      _ = try pager.seal(frame, as: block, layout: layout)
    } catch {
      // The rows went with the frame: the session ends where its sealed blocks end.
      pager.unprotect([block.key])
      state.withLock { $0.tokens.removeLast($0.tokens.count - $0.table.tokenCount) }
      throw error
    }
    state.withLock { $0.table.replaceTail(with: block.key.hash, tokenCount: tokens.count) }
  }

  func sealFullTail() throws(StoreError) {
    guard state.withLock({ $0.open != nil && $0.tokens.count - $0.table.tokenCount == layout.blockTokenCount }) else {
      return
    }
    try sealOpenTail()
  }

  private func restore(_ frame: consuming OpenFrame) {
    var given: OpenFrame? = frame
    state.withLock { $0.open = given.take() }
  }
}

extension SessionState {
  /// How rows copied out of block `index` meet an equal block: a variant's are not those that equal tokens stand for.
  borrowing func sharing(ofRowsIn index: Int, _ space: CacheSpace) -> BlockSharing {
    let parent = index == 0 ? space.root : table.hashes[index - 1]
    let plain = BlockDescriptor(
      space: space.id, parent: parent, tokens: Array(tokens[table.tokenRange(ofBlock: index)]))
    return plain.key.hash == table.hashes[index] ? .byIdentity : .byContent
  }
}

extension ChainHash {
  /// SHA-256 of the rows of `tokenCount` tokens, plane after plane: what tells one variant of a block from another.
  static func digest(ofRows tokenCount: Int, frame: UnsafeRawBufferPointer, layout: BlockLayout) -> String {
    var hasher = RowDigest()
    for plane in layout.planes.indices {
      hasher.update(UnsafeRawBufferPointer(rebasing: frame[layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)]))
    }
    return hasher.finalize().description
  }
}
