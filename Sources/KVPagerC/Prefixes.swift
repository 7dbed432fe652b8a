import CKVPager
import KVPager

// kvpager.h, "Prefix".

@c @implementation
public func kvpager_prefix_find(
  _ space: kvpager_space, _ tokens: UnsafePointer<Int32>!, _ token_count: Int64,
  _ prefix: UnsafeMutablePointer<kvpager_prefix>!, _ found_count: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(prefix, "prefix")
    let tokens = try Argument.tokens(tokens, token_count)
    result.pointee = try HandleTable.use(space, as: OpenSpace.self) {
      let prefix = try $0.space.longestPrefix(of: tokens)
      let tokenCount = prefix.tokenCount
      let handle = try HandleTable.add(OpenPrefix(prefix, $0.space, $0.scope))
      found_count?.pointee = Int64(tokenCount)
      return handle
    }
  }
}

@c @implementation
public func kvpager_prefix_describe(
  _ prefix: kvpager_prefix, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(prefix, as: OpenPrefix.self) { try answer.give($0.json) }
  }
}

@c @implementation
public func kvpager_prefix_read(
  _ prefix: kvpager_prefix, _ first: Int64, _ count: Int64, _ planes: UnsafePointer<kvpager_rows>!,
  _ plane_count: Int64, _ read_count: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(read_count, "read_count")
    result.pointee = try HandleTable.use(prefix, as: OpenPrefix.self) { open in
      let range = try Argument.range(first, count, of: open.prefix.tokens.count)
      let rows = try PlaneTable(
        planes, count: plane_count, layout: open.space.layout, rowCount: range.count, needsAll: false)
      return Int64(
        try rows.read(range) { (tokens, destinations) throws(StoreError) in
          try open.prefix.read(tokens: tokens, into: destinations)
        })
    }
  }
}

@c @implementation
public func kvpager_prefix_prefetch(_ prefix: kvpager_prefix) -> kvpager_status {
  answering { try HandleTable.use(prefix, as: OpenPrefix.self) { $0.prefix.prefetch() } }
}

@c @implementation
public func kvpager_prefix_export(
  _ prefix: kvpager_prefix, _ token_count: Int64, _ options: UnsafePointer<CChar>!, _ buffer: UnsafeMutableRawPointer!,
  _ capacity: Int64, _ size: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(size, "size")
    let answer = try AnswerBuffer(buffer, capacity: capacity)
    let options = try ExportOptions(options)
    try HandleTable.use(prefix, as: OpenPrefix.self) { open in
      let export = try options.writer(
        tokens: open.prefix.tokens, planes: open.space.layout.planes,
        tokenCount: try Argument.cut(token_count, of: open.prefix.tokens.count))
      result.pointee = Int64(export.byteCount)
      guard let bytes = try answer.bytes(export.byteCount) else { return }
      try export.write(into: bytes) { (tokens, destinations) throws(StoreError) in
        guard try open.prefix.read(tokens: tokens, into: destinations) == tokens.count else {
          throw StoreError(.blockLost, "a block of the prefix was lost since it was found; find it again")
        }
      }
    }
  }
}

@c @implementation
public func kvpager_prefix_close(_ prefix: kvpager_prefix) -> kvpager_status {
  answering {
    guard prefix != 0 else { return }
    _ = try HandleTable.remove(prefix, as: OpenPrefix.self)
  }
}
