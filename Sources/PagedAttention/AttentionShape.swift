import CKernels
import KVBlocks

/// The shape of one layer's attention: heads, their size, and what a token sees.
public struct AttentionShape: Hashable, Sendable {
  /// Query heads that one head of keys and values may serve.
  public static let groupLimit = Int(KV_ATTENTION_GROUP_LIMIT)
  public static let headSizeLimit = 4096

  /// Of keys and values: f32, f16 or bf16. Queries, sums and outputs are f32.
  public let elementType: ElementType
  /// Elements of one head: a multiple of 16.
  public let headSize: Int
  public let queryHeadCount: Int
  /// Heads of keys and values; each serves `queryHeadCount / keyValueHeadCount` query heads (grouped-query attention).
  public let keyValueHeadCount: Int
  /// What products of queries and keys are multiplied with before the softmax.
  public let scale: Float
  /// Tokens that a query sees at most, its own included: a sliding window. Nil: all before it.
  public let window: Int?

  /// - Parameters:
  ///   - elementType: f32, f16 or bf16.
  ///   - headSize: elements of one head, a multiple of 16.
  ///   - queryHeadCount: a multiple of `keyValueHeadCount`, of at most ``groupLimit`` times as many.
  ///   - keyValueHeadCount: heads of keys and of values.
  ///   - scale: 1 / sqrt(headSize) where none is given.
  ///   - window: tokens that a query sees at most, its own included; all where none is given.
  /// - Throws: `invalidArgument`, naming what cannot be.
  public init(
    elementType: ElementType, headSize: Int, queryHeadCount: Int, keyValueHeadCount: Int, scale: Float? = nil,
    window: Int? = nil
  ) throws(StoreError) {
    guard [.f32, .f16, .bf16].contains(elementType) else {
      throw .invalidArgument(
        "attention over \(elementType.name); keys and values must be f32, f16 or bf16: decode others first")
    }
    guard (16...Self.headSizeLimit).contains(headSize), headSize % 16 == 0 else {
      throw .invalidArgument("a head of \(headSize) elements; it must be a multiple of 16 up to \(Self.headSizeLimit)")
    }
    guard (1...4096).contains(keyValueHeadCount), queryHeadCount >= keyValueHeadCount,
      queryHeadCount % keyValueHeadCount == 0, queryHeadCount / keyValueHeadCount <= Self.groupLimit
    else {
      throw .invalidArgument(
        "\(queryHeadCount) query heads over \(keyValueHeadCount) heads of keys and values; each of those must serve "
          + "the same number of query heads, 1 to \(Self.groupLimit)")
    }
    if let window, window < 1 { throw .invalidArgument("a window of \(window) tokens; it must see its own token") }
    if let scale, !scale.isFinite { throw .invalidArgument("a scale of \(scale)") }
    self.elementType = elementType
    self.headSize = headSize
    self.queryHeadCount = queryHeadCount
    self.keyValueHeadCount = keyValueHeadCount
    self.scale = scale ?? 1 / Float(headSize).squareRoot()
    self.window = window
  }

  /// Bytes of one token's keys, or of its values: `keyValueHeadCount` heads one after the other.
  public var rowByteCount: Int { keyValueHeadCount * headByteCount }
  /// Floats of one token's queries, or of its output: `queryHeadCount` heads one after the other.
  public var queryCount: Int { queryHeadCount * headSize }

  var headByteCount: Int { headSize * elementType.unitByteCount }
  var groupCount: Int { queryHeadCount / keyValueHeadCount }

  /// The first token that the token at `position` sees.
  func firstVisible(from position: Int) -> Int { window.map { max(0, position + 1 - $0) } ?? 0 }

  var kernelElement: Int32 {
    switch elementType {
    case .f16: Int32(KV_ELEMENT_F16)
    case .bf16: Int32(KV_ELEMENT_BF16)
    default: Int32(KV_ELEMENT_F32)
    }
  }

  var kernelShape: kv_attention_shape {
    kv_attention_shape(
      element: kernelElement, head_size: headSize, kv_head_count: keyValueHeadCount, group_count: groupCount)
  }
}
