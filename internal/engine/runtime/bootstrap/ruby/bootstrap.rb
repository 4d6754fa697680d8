# frozen_string_literal: true

# Runs a Ruby handler: reads events from the engine's socket, answers on it.
#
# The messages are described in the engine's framed.go. A handler is FILE.METHOD
# or FILE.CLASS.METHOD, called with the keywords event and context.

require 'json'

module LambdaRuntime
  READY, INIT_ERROR, RESPONSE, ERROR = 2, 3, 4, 5
  MAX = 6 * 1024 * 1024 + 100
  SOCKET = IO.for_fd(Integer(ENV.delete('_TIERRA_FD') || '3'), 'r+b')
  SOCKET.close_on_exec = true
  JSON_LOG = ENV['AWS_LAMBDA_LOG_FORMAT'] == 'JSON'

  class << self
    attr_accessor :request_id

    def send_message(kind, body)
      data = [body.bytesize, kind].pack('VC') + body.b
      data = data.byteslice(SOCKET.syswrite(data)..) until data.empty?
    end

    def take(size)
      data = String.new(capacity: size, encoding: Encoding::BINARY)
      data << SOCKET.sysread(size - data.bytesize) while data.bytesize < size
      data
    rescue EOFError, SystemCallError
      exit!(0)
    end

    def receive
      size, = take(5).unpack('VC')
      take(size)
    end
  end

  # An error of the runtime itself, with its type.
  class Fault < StandardError
    attr_reader :type

    def initialize(type, message)
      super(message)
      @type = type
    end
  end

  # What a handler is told of its invocation.
  class LambdaContext
    attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
                :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms

    def initialize(id, arn, deadline, client_context, identity)
      @aws_request_id = id
      @invoked_function_arn = arn
      @deadline_ms = deadline.to_i
      @client_context = JSON.parse(client_context) unless client_context.empty?
      @identity = JSON.parse(identity) unless identity.empty?
      @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
      @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
      @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
      @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
      @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
    end

    def get_remaining_time_in_millis
      return 0 if @deadline_ms.zero?

      [@deadline_ms - (Time.now.to_f * 1000).to_i, 0].max
    end
  end

  # Makes loggers write JSON, one record a line, once the library is loaded.
  module JSONLogger
    LEVELS = { 'TRACE' => 0, 'DEBUG' => 0, 'INFO' => 1, 'WARN' => 2, 'ERROR' => 3, 'FATAL' => 4 }.freeze

    def initialize(device = nil, *rest, **options)
      super
      return unless device.equal?($stdout) || device.equal?($stderr)

      self.level = LEVELS.fetch(ENV['AWS_LAMBDA_LOG_LEVEL'].to_s.upcase, 1) unless options.key?(:level)
      self.formatter = proc do |severity, time, name, message|
        record = { timestamp: time.utc.strftime('%Y-%m-%dT%H:%M:%S.%LZ'), level: severity, requestId: LambdaRuntime.request_id }
        record[:progname] = name if name
        if message.is_a?(Exception)
          record.update(errorMessage: message.message, errorType: message.class.name, stackTrace: message.backtrace || [])
        else
          record[:message] = message
        end
        "#{JSON.generate(record)}\n"
      end unless options.key?(:formatter)
    end
  end

  class << self
    def describe(error, phase)
      type = error.is_a?(Fault) ? error.type : "#{phase}<#{error.class}>"
      trace = (error.backtrace || []).reject { |line| line.start_with?(__FILE__) }
      trace = [] if error.is_a?(Fault)
      object = { errorMessage: error.message.scrub, errorType: type, stackTrace: trace }
      if JSON_LOG
        stamp = Time.now.utc.strftime('%Y-%m-%dT%H:%M:%S.%LZ')
        $stdout.puts JSON.generate({ timestamp: stamp, level: 'ERROR', requestId: request_id }.merge(object))
      else
        $stdout.puts "#{phase == 'Init' ? 'Init error when loading handler' : 'Error raised from handler method'} #{JSON.generate(object)}"
      end
      JSON.generate(object)
    end

    def load_handler(name)
      file, *rest = name.split('.')
      unless file && !file.empty? && [1, 2].include?(rest.length) && !name.include?('..')
        raise Fault.new('Runtime.MalformedHandlerName', "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD")
      end
      require File.join(Dir.pwd, file)
      method = rest.pop.to_sym
      owner = rest.empty? ? nil : Kernel.const_get(rest[0])
      found = owner ? owner.respond_to?(method) : Object.new.respond_to?(method, true)
      raise Fault.new('Runtime.HandlerNotFound', "undefined method `#{method}' for #{owner || 'main'}") unless found

      owner ? owner.method(method) : Object.new.method(method)
    rescue LoadError, SyntaxError, NameError => e
      raise Fault.new("Init<#{e.class}>", e.message)
    end

    def handle(handler, message)
      deadline, *sizes = message.unpack('EV5')
      at = 28
      id, trace, arn, client, identity = sizes.map do |n|
        at += n
        message.byteslice(at - n, n).force_encoding(Encoding::UTF_8)
      end
      self.request_id = id
      ENV['_X_AMZN_TRACE_ID'] = trace.empty? ? nil : trace
      event = JSON.parse(message.byteslice(at..).force_encoding(Encoding::UTF_8))
      result = handler.call(event: event, context: LambdaContext.new(id, arn, deadline, client, identity))
      body = JSON.generate(result)
      if body.bytesize > MAX
        raise Fault.new('Function.ResponseSizeTooLarge', "Response payload size exceeded maximum allowed payload size (#{MAX} bytes).")
      end
      [RESPONSE, body]
    rescue StandardError, ScriptError, SystemStackError, NoMemoryError => e
      [ERROR, describe(e, 'Function')]
    end

    def run
      $stdout.sync = $stderr.sync = true
      Dir.chdir(ENV.fetch('LAMBDA_TASK_ROOT', '/var/task'))
      if JSON_LOG
        require 'logger'
        Logger.prepend(JSONLogger)
      end
      begin
        handler = load_handler(ENV.fetch('_HANDLER', ''))
      rescue StandardError, ScriptError => e
        send_message(INIT_ERROR, describe(e, 'Init'))
        exit!(1)
      end
      send_message(READY, '')
      loop { send_message(*handle(handler, receive)) }
    end
  end
end

LambdaRuntime.run
