package io.podgrace.specimen;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.event.EventListener;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Answers with the name of its pod, after as many milliseconds as ANSWERS_AFTER says. */
@SpringBootApplication
@RestController
public class Application {
    @Value("${ANSWERS_AFTER:1}")
    private long answersAfter;

    @Value("${HOSTNAME:}")
    private String pod;

    @GetMapping("/")
    String answer() throws InterruptedException {
        Thread.sleep(answersAfter);
        return pod;
    }

    @EventListener
    void ready(ApplicationReadyEvent event) {
        System.out.printf("{\"moment\":\"listening\",\"at\":%.3f}%n", System.currentTimeMillis() / 1000.0);
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }
}
