/**
 * The shapes of a request, whatever the tool, in the notation of expand.ts. `{V}` what people say for
 * the verb, `{VING}` its -ing form, `{O}` the object with a fitting determiner, `{THE}` the object as something that
 * exists, `{BARE}` without a determiner, `{ARGS}` where arguments go.
 */

/** Asking for something that exists. */
export const ASKING: readonly string[] = [
  "{V} {O} {ARGS}",
  "{V} {O} {ARGS}",
  "(can|could|would|will) you {V} {O} {ARGS}?",
  "(please|just|quickly|now|kindly|then) {V} {O} {ARGS}",
  "(I want|I need|I'd like|I would like|we need|I wanted|I have) to {V} {O} {ARGS}",
  "(I need|I'm after|I'm looking for|I'd like|I want|we could use|give me|send me|I'm interested in) {O} {ARGS}",
  "(I'd like|I need|I want) you to {V} {O} {ARGS}",
  "(can I|could I|may I|could we) (get|see|have|take a look at|have a look at) {O} {ARGS}?",
  "(do you mind|would you mind) {VING} {O} {ARGS}?",
  "(is it possible|would it be possible|is there a way) to {V} {O} {ARGS}?",
  "(any chance you can|any chance you could|think you could|are you able to) {V} {O} {ARGS}?",
  "(help me|let's|let me|go ahead and|I'm trying to|I was hoping to|I'm supposed to|my job is to|we have to) {V} {O} {ARGS}",
  "(I was wondering about|I'm curious about|I've been asked about|someone asked me for|my boss wants|I have a question about|I'm checking on) {O} {ARGS}",
  "(it would help|it would be great|I'd appreciate it|I'd be grateful) if you could {V} {O} {ARGS}",
];
/** Only where the object is one thing or a mass. */
export const ASKING_ONE: readonly string[] = ["(what's|what is) {THE} {ARGS}?", "{BARE} {ARGS}", "(what about|how about|where can I find) {THE} {ARGS}?"];
/** Only where the object is plural, but nothing that one counts. */
export const ASKING_WHOLE: readonly string[] = ["what are {THE} {ARGS}?", "{BARE} {ARGS}", "(what about|how about|where can I find) {THE} {ARGS}?"];
/** Only where the object is several things. */
export const ASKING_MANY: readonly string[] = [
  "what are {THE} {ARGS}?",
  "(which|what) {BARE} (are there|do we have|do you have|can you find|exist|are available) {ARGS}?",
  "(are there|do we have|do you have|have you got|can you find|are you aware of) any {BARE} {ARGS}?",
  "(any|all) {BARE} {ARGS}?",
  "{BARE} {ARGS}",
  "(some|a few|a couple of) {BARE} {ARGS}, please",
  "(give me|show me|I want|I need) (a list of|an overview of|all|all the) {BARE} {ARGS}",
];
/** Asking for something to be done. */
export const ACTING: readonly string[] = [
  "{V} {O} {ARGS}",
  "{V} {O} {ARGS}",
  "{V} {O} {ARGS}",
  "(can|could|would|will) you {V} {O} {ARGS}?",
  "(can|could|would) you (please|kindly|quickly|also|just) {V} {O} {ARGS}?",
  "(please|just|now|next,|then|go ahead and|kindly|quickly) {V} {O} {ARGS}",
  "(I want|I need|I'd like|I would like|we need|we want|I have|I've decided|I'm ready|it's time) to {V} {O} {ARGS}",
  "(I'd like|I need|I want) you to {V} {O} {ARGS}",
  "(help me|let's|I'm trying to|I was about to|we should|I should|you should|you can|I was told to|my task is to) {V} {O} {ARGS}",
  "(would you mind|do you mind|how about|what about) {VING} {O} {ARGS}?",
  "(is it possible|would it be possible|is there a way) to {V} {O} {ARGS}?",
  "(any chance you can|any chance you could|are you able to|think you could) {V} {O} {ARGS}?",
  "(it would help|it would be great|I'd appreciate it|I'd be grateful) if you could {V} {O} {ARGS}",
  "(I need|I want|we need|I'd like) {O} {PAST} {ARGS}",
  "(let me|allow me to|make sure to|don't forget to|remember to) {V} {O} {ARGS}",
];

/** Vague intent: what it is about is said, what to do is not. */
export const VAGUE: readonly string[] = [
  "(I need something|I need help|I'm not sure where to start|I could use a hand) with {THE} {ARGS}",
  "(something about|it's about|this is about|I'm calling about|regarding) {THE} {ARGS}",
  "(I have to deal with|I'm stuck with|I'm working on|I'm busy with) {THE} {ARGS}, (can you help|what can you do|could you take over)?",
  "(can you do something about|what can you do about|can you help with|could you take care of|can you sort out) {THE} {ARGS}?",
  "(so|well|okay|right), {THE} {ARGS}",
];

/** Vague intent to do something: the action is in it, the order is not. */
export const VAGUE_ACTING: readonly string[] = [
  "(I was thinking of|I'm thinking about|we were talking about|I've been meaning to start) {VING} {O} {ARGS}",
  "(maybe|perhaps|I guess) (we should|it's time to|I should|you could) {V} {O} {ARGS}",
  "(it might be good|it may be time|it would be wise|I suppose I have) to {V} {O} {ARGS}",
  "{THE} (should probably be|ought to be|still has to be|could be) {PAST} {ARGS}",
  "(someone asked me|my boss wants me|I'm supposed|I promised|we agreed) to {V} {O} {ARGS}",
  "(what do you say, shall we|why don't we|couldn't we) {V} {O} {ARGS}?",
];

/** Opening words; the empty one is the most frequent. */
export const GREETINGS: readonly string[] = [
  "Hi",
  "Hello",
  "Hey",
  "Hi there",
  "Hello there",
  "Good morning",
  "Good afternoon",
  "Good evening",
  "Hey there",
  "Morning",
];
export const LEADS: readonly string[] = [
  "Quick question",
  "Okay",
  "Alright",
  "So",
  "One more thing",
  "Well",
  "Right",
  "Quick one",
  "Listen",
  "Sorry to bother you",
];
export const CLOSERS: readonly string[] = [
  "Thanks!",
  "Thank you.",
  "Thanks in advance.",
  "Cheers!",
  "Much appreciated.",
  "Thank you so much!",
  "That would help a lot.",
  "No rush.",
  "It's a bit urgent.",
  "I'm in a hurry.",
];
export const TAILS: readonly string[] = [", please", "for me", "if you can", "if possible", "when you get a chance", ", thanks", ", thank you"];
/** Irrelevant sentences that may stand before any request. */
export const CONTEXTS: readonly string[] = [
  "I'm in a bit of a rush.",
  "My colleague just asked me about this.",
  "I'm back from lunch.",
  "I have a few minutes before my next meeting.",
  "I'm on my phone, so keep it short.",
  "It's been a long day.",
  "I'm new to this.",
  "We talked about it this morning.",
  "I'm getting things ready.",
  "My coffee is getting cold.",
  "I want to be prepared.",
  "I'd rather ask than guess.",
  "I'm doing this for a friend.",
  "I've been putting this off.",
  "Let's get this done.",
  "I just got a call about it.",
  "I'm helping my neighbor with something.",
  "There's something I need your help with.",
  "I'm making a plan for the day.",
  "I can't check it myself right now.",
];
