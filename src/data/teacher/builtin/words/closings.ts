/** What people say when they have what they wanted, and what is said to that. */

/** In the notation of expand.ts. */
export const CLOSINGS: readonly string[] = [
  "(thanks|thank you|thx|cheers)(| a lot| so much| very much)",
  "(thanks|thank you), that's (all|it|everything|all I need|what I needed|all for now)",
  "(that's all|that's it|that will be all|nothing else)(| for now| for today)(|, thanks|, thank you)",
  "(perfect|great|awesome|excellent|wonderful|lovely|super|brilliant)(|, thanks|, thank you)",
  "(ok|okay|alright|right|got it|understood|noted)(|, thanks|, thank you|, good to know)",
  "(good|nice|great) (to know|to hear|job|work)",
  "(you're|you are) (great|very helpful|a big help|the best)",
  "(I'll|I will) (think about it|let you know|come back later|have a look)",
  "(oh|hm|ah|wow), (that's|this is) (interesting|good|nice|more than I thought|a pity|not so good|what I expected)",
  "(bye|goodbye|see you|talk to you later|good night)(| then)",
  "(no|nope|nah), (that's fine|I'm good|all good|that's enough)(|, thanks)",
  "(that|this) (helps|was quick|is what I was looking for|is enough)(|, thanks)",
  "never mind(|, thanks| then)",
];

export const CLOSING_ANSWERS: readonly string[] = [
  "You're welcome!",
  "You're welcome! Let me know if you need anything else.",
  "Happy to help!",
  "Glad that helped. Anything else?",
  "Any time!",
  "My pleasure. Just ask if there is something else.",
  "All right. I'm here if you need anything else.",
  "Great! Let me know if there is anything more I can do.",
  "No problem at all.",
  "Of course. Have a nice day!",
];
